import { describe, expect, test } from "vitest";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { compilePolicy } from "../../src/policy/compile.js";
import { evaluatePolicy, type PolicyOutcome } from "../../src/policy/evaluate.js";
import { readPolicy } from "../../src/policy/read.js";
import { policyOf, ruleOf, subjectOf } from "./helpers.js";

type Match = NonNullable<PolicyRule["match"]["attestation"]>;

const digest = (digit: string): `sha256:${string}` => `sha256:${digit.repeat(64)}`;
const fact = (predicateType: string, attester: string, ...digits: string[]) => ({
  digest: digest("0"),
  predicateType,
  subjects: digits.map((one) => ({ digest: digest(one) })),
  signers: [{ attester, keyId: "0".repeat(32) }],
});
const seen = [fact("slsa", "builder", "a", "b"), fact("tests", "tester", "a"), fact("scan", "tester")];

function judge(
  attestation: Match,
  { parameters = { artifact: digest("a") }, verdict = "allow" as PolicyRule["verdict"], attestations = seen } = {},
): PolicyOutcome {
  const policy = compilePolicy(policyOf(ruleOf({ attestation }, verdict)));
  return evaluatePolicy(policy, { ...subjectOf({ parameters }), attestations });
}

const parameter = { parameter: "/artifact" };

test.each<[Match]>([
  [{ predicateType: "slsa" }],
  [{ predicateType: ["x", "slsa"], attester: ["y", "builder"] }],
  [{ predicateType: "slsa", subject: parameter }],
  [{ predicateType: "slsa", subject: { digest: digest("b") } }],
  [{ predicateType: "slsa", subject: [{ digest: digest("f") }, parameter] }],
  [[{ predicateType: "x" }, { predicateType: "tests", attester: "tester", subject: parameter }]],
])("%j holds", (match) => {
  expect(judge(match).verdict).toBe("allow");
});

test.each<[Match]>([
  [{ predicateType: "sls" }],
  [{ predicateType: "slsa", attester: "tester" }],
  [{ predicateType: "tests", subject: { digest: digest("b") } }],
  [{ predicateType: "scan", subject: parameter }],
  [{ predicateType: "slsa", subject: { parameter: "/nothing" } }],
])("%j does not hold", (match) => {
  expect(judge(match)).toMatchObject({ verdict: "deny", ruleIds: ["default"] });
});

test("without attestations nothing holds, and a subject that nobody wrote is not looked for", () => {
  for (const verdict of ["allow", "deny"] as const) {
    const outcome = judge({ predicateType: "slsa", subject: { parameter: "/nothing" } }, { verdict, attestations: [] });
    expect(outcome).toMatchObject({ verdict: "deny", ruleIds: ["default"] });
  }
});

describe("in a deny rule", () => {
  test.each([[{}], [{ artifact: "a".repeat(64) }], [{ artifact: 1 }], [{ artifact: "sha256:A" }]])(
    "a subject that %j does not name is an evaluation error",
    (parameters) => {
      expect(
        judge({ predicateType: "slsa", subject: parameter }, { parameters: parameters as never, verdict: "deny" }),
      ).toMatchObject({ ruleIds: ["r1"], rationale: "evaluation error: /attestation could not be judged" });
    },
  );

  test("a subject that is found decides, whatever else could not be looked for", () => {
    const subject = [{ digest: digest("a") }, { parameter: "/nothing" }];
    expect(judge({ predicateType: "slsa", subject }, { verdict: "deny" }).rationale).toBe("rule r1 matched");
  });
});

test.each([
  [{}, "/rules/0/match/attestation"],
  [{ predicateType: "" }, "/rules/0/match/attestation"],
  [{ predicateType: [] }, "/rules/0/match/attestation"],
  [{ predicateType: "x", subject: { digest: "sha256:00" } }, "/rules/0/match/attestation"],
  [{ predicateType: "x", subject: { parameter: "artifact" } }, "/rules/0/match/attestation"],
  [{ predicateType: "x", builder: "y" }, "/rules/0/match/attestation"],
])("a policy with %j is refused", (attestation, pointer) => {
  const rule = { id: "r", match: { attestation }, verdict: "allow" };
  const policy = { schema: "exoarmur.policy/v1", policyId: "p", version: 1, rules: [rule] };
  const bytes = new TextEncoder().encode(JSON.stringify(policy));
  expect(() => readPolicy(bytes, "policy.json")).toThrow(
    expect.objectContaining({
      code: "EXO_SCHEMA",
      place: expect.objectContaining({ pointer: expect.stringContaining(pointer) }),
    }),
  );
});
