import { describe, expect, it } from "vitest";
import { digestOf, digestOfJson } from "../../../src/canonical/digest.js";
import { canonicalize } from "../../../src/canonical/jcs.js";
import { parseTime } from "../../../src/canonical/time.js";
import type { Preview } from "../../../src/contracts/approval.js";
import type { ApprovalView } from "../../../src/contracts/control.js";
import { concatBytes, encodeBase64 } from "../../../src/crypto/encoding.js";
import { barOf, leftWords, reviewOf } from "../../../src/web/console/review.js";
import { riskFacts } from "../../../src/web/console/risk.js";
import { request as plainRequest } from "../../approval/helpers.js";

const preview: Preview = {
  schema: "exoarmur.preview/v1",
  intentId: plainRequest.intentId,
  actor: { id: "agent-7", type: "agent" },
  action: "fs.remove",
  executor: { name: "fs", version: "1.0.0", function: "remove" },
  target: "data/orders.csv",
  effects: "write",
  parameters: { path: "data/orders.csv" },
  grants: {
    schema: "exoarmur.grants/v1",
    capabilities: [{ name: "fs_remove", constraints: { roots: ["data"] } }],
    limits: {
      ...{ fuel: 1, memoryPages: 1, tableElements: 0, stackBytes: 4096 },
      ...{ outputBytes: 1, kernelBytes: 4096, hostCalls: 1, timeoutMs: 1 },
    },
  },
};

const materialOf = (document: unknown): Uint8Array => concatBytes(new Uint8Array(32).fill(7), canonicalize(document));

function viewOf(document: unknown = preview, change: Partial<ApprovalView["request"]> = {}): ApprovalView {
  const material = materialOf(document);
  const request = { ...plainRequest, previewDigest: digestOf(material), ...change };
  return {
    requestDigest: digestOfJson(request),
    status: "pending",
    decisions: [],
    request,
    preview,
    previewMaterial: encodeBase64(material),
  };
}

describe("what is reviewed", () => {
  it("is what the request's digest stands for", () => {
    const { preview: shown, altered } = reviewOf(viewOf());
    expect(altered).toEqual([]);
    expect(shown).toEqual(preview);
  });

  it("is read from the bytes that are signed for, whatever else was sent", () => {
    const { preview: shown, altered } = reviewOf({ ...viewOf(), preview: { ...preview, target: "data/other.csv" } });
    expect([shown?.target, altered]).toEqual(["data/orders.csv", []]);
  });

  const good = viewOf();
  const wrong: readonly (readonly [string, ApprovalView, RegExp])[] = [
    [
      "another member of the request",
      { ...good, request: { ...good.request, threshold: 9 } },
      /the request has the digest sha256:/,
    ],
    [
      "another digest of it",
      { ...good, requestDigest: digestOf(new Uint8Array(1)) },
      /the request has the digest sha256:/,
    ],
    [
      "other bytes",
      { ...good, previewMaterial: encodeBase64(materialOf({ ...preview, target: "x" })) },
      /does not have the digest/,
    ],
    [
      "another salt",
      { ...good, previewMaterial: encodeBase64(concatBytes(new Uint8Array(32), canonicalize(preview))) },
      /does not have the digest/,
    ],
    ["no base64", { ...good, previewMaterial: "***" }, /does not have the digest/],
    ["nothing", { ...good, previewMaterial: null }, /was dropped/],
    ["too few bytes for a salt", viewOfBytes(new Uint8Array(31)), /does not have the digest/],
    ["bytes that are no preview", viewOf({ schema: "exoarmur.preview/v1" }), /does not have the digest/],
    [
      "bytes that are not canonical",
      viewOfBytes(new TextEncoder().encode(`${" ".repeat(32)} {}`)),
      /does not have the digest/,
    ],
    [
      "what would run of another intent",
      viewOf({ ...preview, intentId: "01K00000000000000000000000" }),
      /is of the intent 01K0/,
    ],
  ];
  it.each(wrong)("%s must not be signed", (_name, view, words) => {
    const { altered } = reviewOf(view);
    expect(altered).toHaveLength(1);
    expect(altered[0]).toMatch(words);
  });

  function viewOfBytes(material: Uint8Array): ApprovalView {
    const request = { ...plainRequest, previewDigest: digestOf(material) };
    return { ...viewOf(), request, requestDigest: digestOfJson(request), previewMaterial: encodeBase64(material) };
  }
});

describe("who may decide", () => {
  const view = viewOf();
  const [person] = view.request.roster;
  const keyId = person?.keyIds[0] ?? "";
  const now = parseTime(view.request.requestedAt);

  it("is who is in the roster, until the request expires, once", () => {
    expect(barOf(view, "approve", keyId, now)).toBeNull();
    expect(barOf(view, "approve", keyId, parseTime(view.request.expiresAt))).toBeNull();
    expect(barOf(view, "approve", keyId, parseTime(view.request.expiresAt) + 1)).toMatch(/expired at/);
    expect(barOf(view, "approve", "0".repeat(32), now)).toMatch(/not in the roster/);
    expect(barOf(view, "approve", null, now)).toMatch(/no key to sign with/);
    const decision = {
      approver: person?.id ?? "",
      keyId,
      decision: "approve",
      envelopeDigest: view.requestDigest,
      signedAt: view.request.requestedAt,
    } as const;
    expect(barOf({ ...view, decisions: [decision] }, "deny", keyId, now)).toMatch(/has decided/);
  });

  it.each(["approved", "denied", "expired", "superseded", "spent"] as const)("is nobody once it is %s", (status) => {
    for (const choice of ["approve", "deny"] as const) {
      expect(barOf({ ...view, status }, choice, keyId, now)).toBe(`the request is ${status}`);
    }
  });

  it("is who may deny, while what is approved is held; nobody approves once more", () => {
    const request = { ...view.request, notBefore: view.request.expiresAt };
    const held = { ...view, request, status: "approved" } as const;
    expect(barOf(held, "deny", keyId, now)).toBeNull();
    expect(barOf(held, "approve", keyId, now)).toBe(`it is approved, and held until ${request.notBefore}`);
    expect(barOf({ ...held, status: "spent" }, "deny", keyId, now)).toBe("the request is spent");
  });

  it.each([
    [0, "0 s"],
    [-5000, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min 00 s"],
    [3_599_000, "59 min 59 s"],
    [3_660_000, "1 h 01 min"],
    [172_800_000, "2 days"],
  ])("%i ms are told as %s", (left, words) => {
    expect(leftWords(1_000_000 + left, 1_000_000)).toBe(words);
  });
});

describe("what there is to weigh", () => {
  const words = (facts: ReturnType<typeof riskFacts>): string[] =>
    facts.map((fact) => `${fact.grave ? "! " : ""}${fact.words}`);
  it("is what it may do, and whether it was asked for before", () => {
    expect(words(riskFacts(preview, []))).toEqual([
      "! It writes. What it changes is not undone by denying it afterwards.",
      "! It may remove files.",
      "! This actor has not asked for this action before.",
    ]);
    const quiet = { effects: "none" as const, grants: { ...preview.grants, capabilities: [] } };
    expect(words(riskFacts(quiet, [{ state: "denied" }, { state: "completed" }, { state: "denied" }], true))).toEqual([
      "It has no effect outside of its own memory.",
      "It is granted no capability.",
      "This actor asked for this action at least 3 times before: 2 denied, 1 completed.",
    ]);
  });

  it("says nothing of what is not known", () => {
    expect(words(riskFacts(preview, null)).join(" ")).not.toContain("before");
  });
});
