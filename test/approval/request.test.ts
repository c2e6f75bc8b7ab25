import { describe, expect, test } from "vitest";
import { buildRequest, type RequestInput, thresholdOf } from "../../src/approval/request.js";
import { approvalRequestSchema } from "../../src/contracts/approval.js";
import { policySchema } from "../../src/contracts/policy.js";
import { codeOf, digest, intent, nonce, now, request, unwrap } from "./helpers.js";

const input: RequestInput = {
  requestId: request.requestId,
  intent,
  intentDigest: digest("1"),
  policyDigest: digest("2"),
  pluginDigest: digest("3"),
  manifestDigest: digest("4"),
  grantsDigest: digest("5"),
  previewDigest: digest("6"),
  verdict: "require_approval",
  obligations: {},
  roster: request.roster,
  now,
  nonce,
};
const build = (more: Partial<RequestInput> = {}) => buildRequest({ ...input, ...more });

test("binds everything it is given", () => {
  const built = unwrap(build());
  expect(built).toEqual({
    ...request,
    verdict: "require_approval",
    threshold: 1,
    requestedAt: "2026-01-31T09:05:00.000Z",
    expiresAt: "2026-01-31T09:20:00.000Z",
  });
  expect(approvalRequestSchema.safeParse(built).success).toBe(true);
});

describe("threshold", () => {
  test.each([
    ["require_approval", undefined, 1],
    ["require_approval", 3, 3],
    ["require_human", undefined, 1],
    ["require_human", 2, 2],
    ["require_quorum", undefined, 2],
    ["require_quorum", 1, 2],
    ["require_quorum", 3, 3],
  ] as const)("%s with %j approvals asked: %d", (verdict, approvals, threshold) => {
    expect(thresholdOf(verdict, approvals === undefined ? {} : { approvals })).toBe(threshold);
  });

  test("a roster with fewer people is refused", () => {
    const one = request.roster.slice(0, 1);
    expect(codeOf(build({ roster: [] }))).toBe("EXO_APPROVAL_ROSTER");
    expect(codeOf(build({ roster: one, verdict: "require_quorum" }))).toBe("EXO_APPROVAL_ROSTER");
    expect(codeOf(build({ obligations: { approvals: 4 } }))).toBe("EXO_APPROVAL_ROSTER");
    expect(codeOf(build({ roster: [...one, ...one], verdict: "require_quorum" }))).toBe("EXO_APPROVAL_ROSTER");
    expect(codeOf(build({ roster: one }))).toBe("ok");
    expect(codeOf(build({ obligations: { approvals: 3 } }))).toBe("ok");
  });
});

describe("expiry", () => {
  const expiry = (more: Partial<RequestInput>) => unwrap(build(more)).expiresAt;

  test("is the obligation's, and never after the intent's", () => {
    const at = (expiresAt: string) => ({ ...intent, expiresAt });
    expect(expiry({ obligations: { expiresInSeconds: 1 } })).toBe("2026-01-31T09:05:01.000Z");
    expect(expiry({ intent: at("2026-01-31T09:06:00.000Z") })).toBe("2026-01-31T09:06:00.000Z");
    expect(expiry({ intent: at("2026-02-01T00:00:00.000Z") })).toBe("2026-01-31T09:20:00.000Z");
    expect(expiry({ intent: at("2026-01-31T09:05:00.001Z") })).toBe("2026-01-31T09:05:00.001Z");
  });

  test("an intent with nothing left is refused", () => {
    for (const expiresAt of ["2026-01-31T09:05:00.000Z", "2026-01-31T09:04:59.999Z"]) {
      expect(codeOf(build({ intent: { ...intent, expiresAt } }))).toBe("EXO_INTENT_EXPIRED");
    }
  });
});

describe("hold", () => {
  test("is the obligation's seconds after the request, and in the request", () => {
    const built = unwrap(build({ obligations: { holdSeconds: 60 } }));
    expect(built).toMatchObject({ notBefore: "2026-01-31T09:06:00.000Z", expiresAt: "2026-01-31T09:20:00.000Z" });
    expect(approvalRequestSchema.safeParse(built).success).toBe(true);
    expect("notBefore" in unwrap(build())).toBe(false);
  });

  test.each<[string, Partial<RequestInput>]>([
    ["as long as the request stands", { obligations: { holdSeconds: 900 } }],
    ["longer than that", { obligations: { holdSeconds: 61, expiresInSeconds: 60 } }],
    [
      "past the intent's own expiry",
      { obligations: { holdSeconds: 60 }, intent: { ...intent, expiresAt: "2026-01-31T09:06:00.000Z" } },
    ],
  ])("%s: refused, nothing could ever start", (_name, more) => {
    const built = build(more);
    expect(codeOf(built)).toBe("EXO_APPROVAL_HELD");
    if (!built.ok) expect(built.error.message).toMatch(/^expected an expiry after the hold until 2026-/);
  });

  test.each([[0], [-1], [1.5], [2_592_001], ["60"]])("holdSeconds %j is no obligation", (holdSeconds) => {
    const rule = { id: "a", match: {}, verdict: "require_approval", obligations: { holdSeconds } };
    const policy = { schema: "exoarmur.policy/v1", policyId: "p", version: 1, rules: [rule] };
    expect(policySchema.safeParse(policy).success).toBe(false);
    const good = { ...policy, rules: [{ ...rule, obligations: { holdSeconds: 60 } }] };
    expect(policySchema.safeParse(good).success).toBe(true);
  });
});
