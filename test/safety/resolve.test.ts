import { describe, expect, test } from "vitest";
import { finalVerdictSchema } from "../../src/contracts/safety.js";
import { resolveVerdict } from "../../src/safety/resolve.js";

const final = (policy: string, safety: string) =>
  resolveVerdict({ verdict: policy, ruleIds: ["p"] }, { verdict: safety, ruleIds: ["s"] });

test.each<[policy: string, safety: string, expected: string]>([
  ["allow", "allow", "allow"],
  ["allow", "require_human", "require_human"],
  ["allow", "require_quorum", "require_quorum"],
  ["allow", "deny", "deny"],
  ["require_approval", "allow", "require_approval"],
  ["require_approval", "require_human", "require_human"],
  ["require_approval", "require_quorum", "require_quorum"],
  ["require_approval", "deny", "deny"],
  ["defer", "allow", "deny"],
  ["defer", "require_human", "deny"],
  ["defer", "require_quorum", "deny"],
  ["defer", "deny", "deny"],
  ["deny", "allow", "deny"],
  ["deny", "require_human", "deny"],
  ["deny", "require_quorum", "deny"],
  ["deny", "deny", "deny"],
])("policy %s, safety %s: %s", (policy, safety, expected) => {
  expect(final(policy, safety)).toEqual({
    schema: "exoarmur.final-verdict/v1",
    verdict: expected,
    ruleIds: ["policy:p", "safety:s"],
  });
});

describe("a verdict this build does not know is a deny", () => {
  const unknown = [
    "warn",
    "",
    "ALLOW",
    "allow ",
    "Allow",
    "constructor",
    "__proto__",
    "toString",
    "permit",
    "undefined",
  ];
  const policies = ["allow", "deny", "require_approval", "defer"];
  const safeties = ["allow", "deny", "require_human", "require_quorum"];

  test.each([
    ...unknown.flatMap((one) => safeties.map((safety): [string, string] => [one, safety])),
    ...unknown.flatMap((one) => policies.map((policy): [string, string] => [policy, one])),
    // Each side's own words are unknown on the other side.
    ["require_human", "allow"],
    ["require_quorum", "allow"],
    ["allow", "require_approval"],
    ["allow", "defer"],
    ["warn", "warn"],
  ])("policy %j, safety %j", (policy, safety) => {
    expect(final(policy, safety)).toEqual({
      schema: "exoarmur.final-verdict/v1",
      verdict: "deny",
      ruleIds: ["policy:p", "safety:s", "unknown-verdict"],
    });
  });

  test.each([undefined, null, 0, true, ["allow"]])("%j", (verdict) => {
    const side = { verdict: verdict as unknown as string, ruleIds: [] };
    expect(resolveVerdict(side, { verdict: "allow", ruleIds: [] })).toMatchObject({
      verdict: "deny",
      ruleIds: ["unknown-verdict"],
    });
  });
});

test("all rules are listed, and the longest policy rule id still makes a contract", () => {
  const verdict = resolveVerdict(
    { verdict: "allow", ruleIds: ["x".repeat(190)] },
    { verdict: "require_quorum", ruleIds: ["cell-load", "network-health"] },
  );
  expect(verdict.ruleIds).toEqual([`policy:${"x".repeat(190)}`, "safety:cell-load", "safety:network-health"]);
  expect(finalVerdictSchema.safeParse(verdict).success).toBe(true);
});
