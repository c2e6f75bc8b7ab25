import { beforeAll, describe, expect, it } from "vitest";
import type { VerificationReport } from "../../src/verify/report.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { type Bundles, makeBundles } from "../support/bundles.js";
import { Forge, type Loose, repack } from "../support/forge.js";
import { keys } from "../support/world.js";

let all: Bundles;
beforeAll(async () => {
  all = await makeBundles();
});

const wrongOf = ({ checks }: VerificationReport): string[] =>
  checks.flatMap(({ id, state, code }) => (state === "fail" || state === "unable" ? [`${id} ${code ?? ""}`] : []));

describe("somebody else makes a whole bundle", () => {
  /** Mallory signs and logs everything, and lists mallory's keys as the bundle's own. */
  async function allMallory(): Promise<Uint8Array> {
    const forge = new Forge(all.bytes.executed);
    await forge.resign("policy_envelope", keys.mallory);
    forge.listKey("runtime", keys.mallory).listKey("log", keys.mallory).listKey("policy-author", keys.mallory);
    return await forge.pack({ runtime: keys.mallory, log: keys.mallory });
  }

  it("fails with a trust file", async () => {
    const report = verifyBundle(await allMallory(), { trust: all.trust });
    expect(report.result).toBe("fail");
    expect(report.trustMode).toBe("pinned");
    expect(wrongOf(report)).toEqual(["signature EXO_TRUST", "policy-author EXO_TRUST", "checkpoint EXO_SIGNATURE"]);
  });

  it("passes the self-check, which says that it shows no identity", async () => {
    const report = verifyBundle(await allMallory());
    expect(report.result).toBe("pass");
    expect(report.trustMode).toBe("self_check_only");
    expect(report.limits[0]).toBe(
      "No trust file was given: the keys are the bundle's own. This proves integrity, not identity: anybody could have made it.",
    );
  });

  it("fails the self-check when the keys are not listed for their roles", async () => {
    const forge = new Forge(all.bytes.executed);
    forge.listKey("runtime", keys.mallory);
    const report = verifyBundle(await forge.pack());
    expect(wrongOf(report)).toEqual(["signature EXO_TRUST"]);
  });

  it("fails with an empty trust file", () => {
    const trust = { ...all.trust, keys: [], logs: [] };
    expect(wrongOf(verifyBundle(all.bytes.approved, { trust }))).toEqual([
      "signature EXO_TRUST",
      "policy-author EXO_TRUST",
      "approvals EXO_TRUST",
      "checkpoint EXO_TRUST",
    ]);
  });

  it("fails when the log's key is trusted under another origin only", () => {
    const trust = { ...all.trust, logs: all.trust.logs.map((log) => ({ ...log, origin: "exoarmur/elsewhere" })) };
    expect(wrongOf(verifyBundle(all.bytes.executed, { trust }))).toEqual(["checkpoint EXO_TRUST"]);
  });
});

describe("parts of two bundles", () => {
  const parts = (bytes: Uint8Array): Loose => JSON.parse(new TextDecoder().decode(bytes)) as Loose;

  it("the statement of one run with the materials of another", () => {
    const bytes = repack(all.bytes.executed, (bundle) => (bundle.materials = parts(all.bytes.denied).materials));
    const report = verifyBundle(bytes, { trust: all.trust });
    expect(report.result).toBe("fail");
    expect(wrongOf(report)).toContain("materials EXO_MATERIAL_SET");
  });

  it("the envelope of another run", () => {
    const bytes = repack(all.bytes.executed, (bundle) => (bundle.envelope = parts(all.bytes.failed).envelope));
    expect(wrongOf(verifyBundle(bytes, { trust: all.trust }))).toContain("inclusion EXO_LOG_PROOF");
  });

  it("the payload of another run under the signature of this one", () => {
    const bytes = repack(
      all.bytes.executed,
      (bundle) => (bundle.envelope.payload = parts(all.bytes.failed).envelope.payload),
    );
    expect(wrongOf(verifyBundle(bytes, { trust: all.trust }))).toContain("signature EXO_SIGNATURE");
  });

  it("the output of one run, salted anew, in another", async () => {
    const forge = new Forge(all.bytes.executed);
    await forge.set("output", new Forge(all.bytes.written).content("output"));
    const honest = await forge.pack();
    // Signed by the runtime itself it is whole: what a plugin gave can only be shown by running it again.
    expect(verifyBundle(honest, { trust: all.trust }).result).toBe("pass");
    const { materials } = parts(honest);
    const swapped = repack(all.bytes.executed, (bundle) => (bundle.materials = materials));
    expect(wrongOf(verifyBundle(swapped, { trust: all.trust }))).toContain("materials EXO_MATERIAL_SET");
  });

  it("the transcript of one run in another", async () => {
    const forge = new Forge(all.bytes.executed);
    await forge.set("host_call", new Forge(all.bytes.written).content("host_call"));
    expect(wrongOf(verifyBundle(await forge.pack(), { trust: all.trust }))).toEqual(["transcript EXO_CHECK_FAILED"]);
  });

  it("the approvals of one run in another", async () => {
    const forge = new Forge(all.bytes.approved);
    await forge.set("approval_grant", new Forge(all.bytes.approvalDenied).content("approval_grant"));
    expect(wrongOf(verifyBundle(await forge.pack(), { trust: all.trust }))).toEqual(["approvals EXO_CHECK_FAILED"]);
  });

  it("every material left out in turn is never a pass", () => {
    for (const ending of ["denied", "approved"] as const) {
      const { materials } = parts(all.bytes[ending]);
      for (const digest of Object.keys(materials)) {
        const report = verifyBundle(
          repack(all.bytes[ending], (bundle) => delete bundle.materials[digest]),
          { trust: all.trust },
        );
        expect([ending, digest, report.result]).toEqual([ending, digest, "unable"]);
        expect(wrongOf(report)).toContain("materials EXO_MATERIAL_MISSING");
      }
    }
  });

  it("every two materials swapped are a failure", () => {
    const digests = Object.keys(parts(all.bytes.approved).materials);
    for (let at = 1; at < digests.length; at += 1) {
      const [a, b] = [digests[at - 1] ?? "", digests[at] ?? ""];
      const bytes = repack(all.bytes.approved, ({ materials }) => {
        [materials[a], materials[b]] = [materials[b], materials[a]];
      });
      expect(verifyBundle(bytes, { trust: all.trust }).result).toBe("fail");
    }
  });
});

describe("a whole bundle of signed materials that says something else", () => {
  it("each list of the statement reordered by its signer still says the same or fails", async () => {
    for (const role of ["event", "event_payload", "host_call"] as const) {
      const forge = new Forge(all.bytes.approved);
      const { materials } = forge.predicate;
      const own = materials.filter((entry) => entry.role === role).reverse();
      forge.predicate.materials = materials.map((entry) => (entry.role === role ? (own.shift() ?? entry) : entry));
      // The order of materials carries meaning for host calls alone, whose root fixes it; here there is one.
      expect(verifyBundle(await forge.pack(), { trust: all.trust }).result).toBe("pass");
    }
    const forge = new Forge(all.bytes.approved);
    forge.predicate.events.reverse();
    expect(verifyBundle(await forge.pack(), { trust: all.trust }).result).toBe("fail");
  });

  it("text that looks like markup or a path stays text", async () => {
    const nasty = "<script>alert(1)</script>\u202e../../etc/passwd";
    const forge = new Forge(all.bytes.denied);
    await forge.payload("intent_denied", (payload) => (payload.reason.message = nasty));
    const report = verifyBundle(await forge.pack(), { trust: all.trust });
    expect(report.result).toBe("pass");
    expect(JSON.stringify(report)).not.toContain("<script>");
  });
});
