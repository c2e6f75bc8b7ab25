import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { parseCanonical } from "../../src/canonical/read.js";
import type { CallDisclosure } from "../../src/contracts/call-disclosure.js";
import { decodeBase64, encodeBase64 } from "../../src/crypto/encoding.js";
import { discloseCall } from "../../src/pipeline/disclose.js";
import { isCallDisclosure, verifyCall } from "../../src/verify/verify-call.js";
import { type Bundles, type Ending, makeBundles } from "../support/bundles.js";

let all: Bundles;
beforeAll(async () => {
  all = await makeBundles();
});

const disclose = (ending: Ending, seq = 0): Uint8Array =>
  discloseCall(all.rig.store, all.rig.ledger, all.intentIds[ending], seq);

/** What is wrong with a report, as `check CODE`. */
function wrong(bytes: Uint8Array, pinned = true): string[] {
  const report = verifyCall(bytes, pinned ? { trust: all.trust } : {});
  expect(report.result === "pass").toBe(report.counts.fail + report.counts.unable === 0);
  return report.checks
    .filter(({ state }) => state === "fail" || state === "unable")
    .map(({ id, code }) => `${id} ${code}`);
}

/** The disclosure of an ending with some members changed, canonical again. */
function changed(ending: Ending, change: (document: CallDisclosure) => object): Uint8Array {
  const document = parseCanonical(disclose(ending)) as unknown as CallDisclosure;
  return canonicalize({ ...document, ...change(document) } as never, { maxBytes: 100_000_000 });
}

/** A base64 member whose decoded bytes are edited. */
function edited(text: string, edit: (bytes: Uint8Array) => Uint8Array): string {
  return encodeBase64(edit(decodeBase64(text) ?? new Uint8Array()));
}

/** Edits the JSON behind the 32 salt bytes of a material. */
function salted(text: string, edit: (value: Record<string, never>) => object): string {
  return edited(text, (bytes) => {
    const content = parseCanonical(bytes.slice(32)) as never;
    return Uint8Array.from([...bytes.slice(0, 32), ...canonicalize(edit(content) as never)]);
  });
}

describe("a disclosed call", () => {
  it.each<[Ending, string, string]>([
    ["executed", "fs_read", "ok"],
    ["failed", "fs_read", "error"],
    ["written", "fs_write", "ok"],
    ["resolved", "fs_write", "unknown"],
  ])("of a run that %s passes, pinned", (ending, capability, outcome) => {
    const bytes = disclose(ending);
    expect(isCallDisclosure(bytes)).toBe(true);
    const report = verifyCall(bytes, { trust: all.trust });
    expect(report).toMatchObject({ result: "pass", trustMode: "pinned", intentId: all.intentIds[ending] });
    expect(report.call).toMatchObject({ seq: 0, capability, outcome });
    expect(report.checks.find(({ id }) => id === "transcript")?.message).toMatch(/^entry 0 of 1, function /);
  });

  it("says without a trust file that nothing shows whose it is", () => {
    const report = verifyCall(disclose("executed"));
    expect(report).toMatchObject({ result: "pass", trustMode: "self_check_only" });
    expect(report.checks.find(({ id }) => id === "checkpoint")).toMatchObject({
      state: "not_applicable",
      message: "no trust file: nothing shows whose log this is",
    });
    expect(report.limits[0]).toMatch(/^No trust file was given: /);
    expect(report.limits.at(-1)).toMatch(/^A pass proves that the runtime recorded this call: not /);
    expect(verifyCall(disclose("executed"), { trust: all.trust }).limits).toHaveLength(1);
  });

  it("holds nothing else of the run: no input, no output, no other material", () => {
    const bytes = disclose("written");
    const text = JSON.stringify(parseCanonical(bytes));
    const bundle = JSON.parse(new TextDecoder().decode(all.bytes.written)) as { materials: Record<string, string> };
    const document = parseCanonical(bytes) as unknown as CallDisclosure;
    const own = new Set([document.call, document.event, document.payload]);
    const others = Object.values(bundle.materials).filter((material) => !own.has(material));
    expect(others.length).toBeGreaterThan(10);
    for (const material of others) expect(text.includes(material.slice(0, 200))).toBe(false);
  });

  it("is the same again under the same checkpoint", () => {
    expect(disclose("executed")).toEqual(disclose("executed"));
  });
});

describe("what discloses nothing", () => {
  it.each<[string, () => unknown, string, string]>([
    [
      "an unknown intent",
      () => discloseCall(all.rig.store, all.rig.ledger, "01K5ZV8Q000000000000000000", 0),
      "EXO_INTENT_UNKNOWN",
      "no intent has the id",
    ],
    ["a denied intent", () => disclose("denied"), "EXO_LOG_RANGE", "no execution is recorded"],
    ["a call that was not made", () => disclose("executed", 1), "EXO_LOG_RANGE", "made 1 host calls, none numbered 1"],
    ["a negative number", () => disclose("executed", -1), "EXO_LOG_RANGE", "none numbered -1"],
  ])("%s", (_name, act, code, message) => {
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  it("a bundle is no disclosure, and a disclosure no bundle", () => {
    expect(isCallDisclosure(all.bytes.executed)).toBe(false);
    expect(wrong(all.bytes.executed)).toEqual(["format EXO_SCHEMA"]);
    expect(isCallDisclosure(new Uint8Array())).toBe(false);
  });
});

describe("forged disclosures", () => {
  const other = (ending: Ending): CallDisclosure => parseCanonical(disclose(ending)) as unknown as CallDisclosure;

  it.each<[string, (document: CallDisclosure) => object, string[]]>([
    [
      "another answer",
      ({ call }) => ({ call: salted(call, (c) => ({ ...c, response: "AAAA" })) }),
      ["call EXO_CHECK_FAILED", "transcript EXO_CHECK_FAILED"],
    ],
    [
      "another answer with its digest",
      ({ call }) => ({
        call: salted(call, (c) => ({ ...c, response: "AAAA", responseDigest: digestOf(new Uint8Array(3)) })),
      }),
      ["transcript EXO_CHECK_FAILED"],
    ],
    [
      "another outcome",
      ({ call }) => ({ call: salted(call, (c) => ({ ...c, outcome: "denied" })) }),
      ["transcript EXO_CHECK_FAILED"],
    ],
    [
      "a better assurance",
      ({ call }) => ({ call: salted(call, (c) => ({ ...c, assurance: "unauthenticated" })) }),
      ["transcript EXO_CHECK_FAILED", "answers EXO_CHECK_FAILED"],
    ],
    [
      "another salt",
      ({ call }) => ({ call: edited(call, (bytes) => Uint8Array.from([1, ...bytes.slice(1)])) }),
      ["transcript EXO_CHECK_FAILED"],
    ],
    [
      "another number",
      ({ call }) => ({ call: salted(call, (c) => ({ ...c, seq: 1 })) }),
      ["transcript EXO_CHECK_FAILED"],
    ],
    ["the call of another run", () => ({ call: other("written").call }), ["transcript EXO_CHECK_FAILED"]],
    ["a path too long", () => ({ path: [encodeBase64(new Uint8Array(32))] }), ["transcript EXO_CHECK_FAILED"]],
    ["a path that is no hash", () => ({ path: [encodeBase64(new Uint8Array(5))] }), ["transcript EXO_CHECK_FAILED"]],
    [
      "the payload of another run",
      () => ({ payload: other("written").payload }),
      ["payload EXO_MATERIAL_DIGEST", "transcript EXO_CHECK_FAILED"],
    ],
    [
      "a record of its own making",
      ({ payload }) => ({ payload: salted(payload, (p) => ({ ...p })).replace(/^..../, "AAAA") }),
      ["payload EXO_MATERIAL_DIGEST"],
    ],
    [
      "the event of another run",
      () => ({ event: other("written").event }),
      ["payload EXO_MATERIAL_DIGEST", "inclusion EXO_LOG_PROOF"],
    ],
    [
      "all but the log of another run",
      () => ({ ...other("written"), logProof: other("executed").logProof }),
      ["inclusion EXO_LOG_PROOF"],
    ],
    [
      "an event of its own making",
      ({ event }) => ({
        event: edited(event, (bytes) => canonicalize({ ...(parseCanonical(bytes) as object), cellId: "elsewhere" })),
      }),
      ["inclusion EXO_LOG_PROOF"],
    ],
    [
      "an event that records no execution",
      ({ event }) => ({
        event: edited(event, (bytes) =>
          canonicalize({ ...(parseCanonical(bytes) as object), eventType: "policy_evaluated" }),
        ),
      }),
      ["transcript EXO_CHECK_FAILED", "inclusion EXO_LOG_PROOF"],
    ],
    [
      "an event type of an object's own members",
      ({ event }) => ({
        event: edited(event, (bytes) =>
          canonicalize({ ...(parseCanonical(bytes) as object), eventType: "constructor" }),
        ),
      }),
      ["transcript EXO_CHECK_FAILED", "inclusion EXO_LOG_PROOF"],
    ],
    [
      "another index",
      ({ logProof }) => ({ logProof: logProof.replace(/index \d+/, "index 0") }),
      ["inclusion EXO_LOG_PROOF"],
    ],
    [
      "another size",
      ({ logProof }) => ({ logProof: logProof.replace(/\n(\d+)\n([A-Za-z0-9+/=]{44})\n/, "\n99\n$2\n") }),
      // The path has the same shape there; the checkpoint's signature binds the size.
      ["checkpoint EXO_SIGNATURE"],
    ],
    ["base64 without padding", ({ call }) => ({ call: call.replace(/=+$/, "").slice(0, -1) }), ["format EXO_SCHEMA"]],
    ["a call shorter than a salt", () => ({ call: encodeBase64(new Uint8Array(31)) }), ["format EXO_MATERIAL_DIGEST"]],
    ["a call that is no JSON", () => ({ call: encodeBase64(new Uint8Array(40)) }), ["format EXO_JSON_SYNTAX"]],
    ["no proof", () => ({ logProof: "" }), ["format EXO_LOG_PROOF"]],
    ["a member more", () => ({ extra: 1 }), ["format EXO_SCHEMA"]],
  ])("%s", (_name, change, expected) => {
    expect(wrong(changed("executed", change))).toEqual(expected);
  });

  it("is refused in other than canonical bytes", () => {
    const text = new TextDecoder().decode(disclose("executed"));
    expect(wrong(new TextEncoder().encode(`${text}\n`))).toEqual(["format EXO_JSON_NOT_CANONICAL"]);
  });

  it("another log's checkpoint does not count", async () => {
    const bytes = disclose("executed");
    expect(wrong(bytes)).toEqual([]);
    const strange = { ...all.trust, logs: [] };
    const report = verifyCall(bytes, { trust: strange as never });
    expect(report.checks.find(({ id }) => id === "checkpoint")).toMatchObject({ state: "fail", code: "EXO_TRUST" });
  });

  it("witnesses count where the trust file asks for them", () => {
    const trust = { ...all.trust, witnesses: { threshold: 1, vkeys: [] } };
    const report = verifyCall(disclose("executed"), { trust });
    expect(report.checks.find(({ id }) => id === "witnesses")).toMatchObject({ state: "fail" });
  });

  it("never throws, whatever single byte is changed", () => {
    const bytes = disclose("failed");
    for (let at = 0; at < bytes.length; at += 7) {
      const broken = bytes.slice();
      broken[at] = (broken[at] ?? 0) ^ 1;
      expect(verifyCall(broken, { trust: all.trust }).result).not.toBe("pass");
    }
  });
});
