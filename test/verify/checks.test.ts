import { beforeAll, describe, expect, it } from "vitest";
import { isDigest } from "../../src/canonical/digest.js";
import type { Trust } from "../../src/contracts/trust.js";
import { Evidence } from "../../src/verify/evidence.js";
import { keySource } from "../../src/verify/keys.js";
import { type CheckResult, makeReport } from "../../src/verify/report.js";
import { checks, runCheck, verifyBundle } from "../../src/verify/verify-bundle.js";
import { type Bundles, type Ending, makeBundles } from "../support/bundles.js";
import { allForgeries as forgeries } from "./forgeries.js";
import { cosignedBundle, witnessedApproval, witnessKey } from "./forgeries-log.js";
import { type Forgery, makeForgery } from "./forgery.js";

const wrongOf = (results: readonly CheckResult[]): CheckResult[] =>
  results.filter(({ state }) => state === "fail" || state === "unable");

let all: Bundles;
beforeAll(async () => {
  all = await makeBundles();
});

/** The verifier with one check switched off. */
function verifyWithout(id: string, bytes: Uint8Array, trust: Trust): string {
  const evidence = Evidence.open(bytes);
  const keys = keySource(evidence, trust);
  const results = checks
    .filter(([name]) => name !== id)
    .map(([name, title, run]) => runCheck(name, title, () => run(evidence, keys, {})));
  const facts = { trustMode: "pinned", bundleDigest: null, intentId: null, correlationId: null } as const;
  return makeReport(facts, results).result;
}

describe("honest bundles", () => {
  const notApplicable: Record<Ending, string> = {
    refused:
      "policy-author policy attestations safety target grants approvals plugin publisher execution transcript answers resolution witnesses log",
    denied: "attestations target grants approvals publisher execution transcript answers resolution witnesses log",
    executed: "attestations approvals publisher resolution witnesses log",
    failed: "attestations approvals publisher resolution witnesses log",
    written: "attestations approvals publisher resolution witnesses log",
    approved: "attestations publisher resolution witnesses log",
    approvalDenied: "attestations target grants publisher execution transcript answers resolution witnesses log",
    expired: "attestations target grants publisher execution transcript answers resolution witnesses log",
    resolved: "attestations approvals publisher witnesses log",
    crashed: "attestations approvals publisher execution transcript answers witnesses log",
    published: "attestations approvals resolution witnesses log",
    attested: "approvals publisher resolution witnesses log",
  };
  it.each(Object.keys(notApplicable) as Ending[])("%s: everything that applies passes", (ending) => {
    for (const trust of [all.trust, undefined]) {
      const report = verifyBundle(all.bytes[ending], trust === undefined ? {} : { trust });
      expect(wrongOf(report.checks)).toEqual([]);
      expect(report.result).toBe("pass");
      expect(report.trustMode).toBe(trust === undefined ? "self_check_only" : "pinned");
      expect(
        report.checks
          .filter(({ state }) => state === "not_applicable")
          .map(({ id }) => id)
          .join(" "),
      ).toBe(
        trust === undefined && ending === "attested" ? `attestations ${notApplicable[ending]}` : notApplicable[ending],
      );
      expect(report.intentId).toBe(all.intentIds[ending]);
      expect(isDigest(report.bundleDigest)).toBe(true);
      expect(report.checks.every(({ message, title }) => message !== "" && title !== "")).toBe(true);
    }
  });

  it("gives every check once, in the table's order, after the format", () => {
    const ids = verifyBundle(all.bytes.approved, { trust: all.trust }).checks.map(({ id }) => id);
    expect(ids).toEqual(["format", ...checks.map(([id]) => id)]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("says in the report what a pass does not prove", () => {
    const pinned = verifyBundle(all.bytes.executed, { trust: all.trust });
    expect(pinned.limits).toEqual([
      "A pass does not prove that the outside world gave these answers: it proves the computation, given the recorded answers.",
      "A pass over one file cannot show that nothing else happened: spent-once and completeness need the log (log check).",
    ]);
    expect(verifyBundle(all.bytes.executed).limits[0]).toBe(
      "No trust file was given: the keys are the bundle's own. This proves integrity, not identity: anybody could have made it.",
    );
  });

  it("counts a witness that cosigned", async () => {
    const trust = { ...all.trust, witnesses: { threshold: 1, vkeys: [witnessKey("w1")] } };
    const report = verifyBundle(await cosignedBundle(all.bytes.executed), { trust });
    expect(report.checks.find(({ id }) => id === "witnesses")).toMatchObject({
      state: "pass",
      message: "1 of 1 witnesses",
    });
    expect(report.result).toBe("pass");
  });

  it("says whose clock the expiry of an approval rests on", async () => {
    const words = (bytes: Uint8Array, trust?: Trust): string =>
      verifyBundle(bytes, trust === undefined ? {} : { trust }).checks.find(({ id }) => id === "approvals")?.message ??
      "";
    const { bytes, trust } = await witnessedApproval(all.bytes.approved, all.trust);
    expect(verifyBundle(bytes, { trust }).result).toBe("pass");
    expect(words(bytes, trust)).toMatch(/; expiry witnessed$/);
    for (const asserted of [words(bytes), words(bytes, all.trust), words(all.bytes.approved, all.trust)]) {
      expect(asserted).toMatch(/; expiry asserted by the runtime's clock$/);
    }
  });

  it("takes a pinned policy for a signed one", async () => {
    const unsigned = forgeries.find(
      ({ check, name }) => check === "policy-author" && name === "nobody signed",
    ) as Forgery;
    const bytes = await makeForgery(unsigned, all);
    const digest = verifyDigestOfPolicy(bytes);
    expect(verifyBundle(bytes, { trust: all.trust }).result).toBe("fail");
    expect(verifyBundle(bytes, { trust: { ...all.trust, policies: [digest] } }).result).toBe("pass");
  });
});

function verifyDigestOfPolicy(bytes: Uint8Array): `sha256:${string}` {
  const digest = Evidence.open(bytes).digestsOf("policy")[0];
  if (digest === undefined) throw new Error("no policy");
  return digest;
}

describe("trusted keys", () => {
  const bounded = (role: string, bounds: object): Trust => ({
    ...all.trust,
    keys: all.trust.keys.map((key) => (key.role === role ? { ...key, ...bounds } : key)),
  });
  const failing = (trust: Trust, ending: Ending): string[] =>
    wrongOf(verifyBundle(all.bytes[ending], { trust }).checks).map(({ id, code }) => `${id} ${code ?? ""}`);

  it.each([
    ["runtime", { from: 100_000 }, "signature EXO_TRUST"],
    ["runtime", { until: 1 }, "signature EXO_TRUST"],
    ["runtime", { tenants: ["other"] }, "signature EXO_TRUST"],
    ["policy-author", { until: 1 }, "policy-author EXO_TRUST"],
    ["approver", { until: 1 }, "approvals EXO_TRUST"],
    ["approver", { tenants: ["other"] }, "approvals EXO_TRUST"],
    ["approver", { roles: ["janitor"] }, "approvals EXO_TRUST"],
  ])("%s key with %j is not admissible", (role, bounds, expected) => {
    expect(failing(bounded(role, bounds), "approved")).toEqual([expected]);
  });

  it("a key inside its bounds is admissible", () => {
    expect(failing(bounded("runtime", { from: 0, until: 100_000 }), "approved")).toEqual([]);
  });

  it("a publisher's key counts where the plugin was admitted, not where it ran", () => {
    const admitted = admissionIndex(all.bytes.published);
    expect(failing(bounded("publisher", { until: admitted + 1 }), "published")).toEqual([]);
    expect(failing(bounded("publisher", { until: admitted }), "published")).toEqual(["publisher EXO_TRUST"]);
    expect(failing(bounded("publisher", { from: admitted }), "published")).toEqual([]);
    expect(failing(bounded("publisher", { from: admitted + 1 }), "published")).toEqual(["publisher EXO_TRUST"]);
  });

  it("a bounded key is not admissible when there is no log index", async () => {
    const noProof = forgeries.find(({ name }) => name === "no proof") as Forgery;
    const report = verifyBundle(await makeForgery(noProof, all), { trust: bounded("runtime", { from: 0 }) });
    expect(report.checks.find(({ id }) => id === "signature")).toMatchObject({ state: "fail", code: "EXO_TRUST" });
  });
});

function admissionIndex(bytes: Uint8Array): number {
  const message = verifyBundle(bytes).checks.find(({ id }) => id === "publisher")?.message ?? "";
  return Number(/^acme, admitted at log position (\d+)$/.exec(message)?.[1]);
}

describe("forged bundles", () => {
  it.each(forgeries.map((forgery) => [`${forgery.check}: ${forgery.name} (${forgery.of})`, forgery] as const))(
    "%s",
    async (_name, forgery) => {
      const { check, code, state = "fail" } = forgery;
      const trust = forgery.trust?.(all.trust) ?? all.trust;
      const bytes = await makeForgery(forgery, all);
      const report = verifyBundle(bytes, { trust });
      const wrong = wrongOf(report.checks);
      const caught = forgery.caught ?? [check];
      if (caught[0] !== "*")
        expect(wrong.map(({ id, message }) => `${id}: ${message}`).map((line) => line.split(":")[0])).toEqual(caught);
      expect(wrong.find(({ id }) => id === check)).toMatchObject({ id: check, state, code });
      expect(report.result).not.toBe("pass");
      expect(report.counts[state]).toBeGreaterThan(0);
    },
  );

  it.each(checks.map(([id]) => id))("only the check %s stands against some of them", async (id) => {
    const alone = forgeries.filter(
      (forgery) => forgery.check === id && (forgery.caught ?? [id]).length === 1 && forgery.caught?.[0] !== "*",
    );
    expect(alone.length).toBeGreaterThan(0);
    for (const forgery of alone) {
      const trust = forgery.trust?.(all.trust) ?? all.trust;
      expect(verifyWithout(id, await makeForgery(forgery, all), trust)).toBe("pass");
    }
  });
});
