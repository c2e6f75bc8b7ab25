import { describe, expect, it } from "vitest";
import { ownAsk } from "../../../src/cli/prove/own-ask.js";
import type { PolicyDocument, PolicyRule } from "../../../src/contracts/policy.js";

const place = { tenantId: "default", cellId: "local" };

function policyOf(...rules: PolicyRule[]): PolicyDocument {
  return { schema: "exoarmur.policy/v1", policyId: "files", version: 1, rules };
}

function asking(match: PolicyRule["match"]): PolicyRule {
  return { id: "ask", match, verdict: "require_approval" };
}

describe("what a policy asks a person for is made up from a rule", () => {
  it.each<[string, PolicyRule["match"], object]>([
    ["an action", { action: "fs.remove" }, { action: "fs.remove" }],
    ["a pattern", { action: ["fs.*", "kv.*"] }, { action: "fs.exoarmur_prove" }],
    ["every action", { action: "*" }, { action: "exoarmur_prove_own.idle" }],
    ["a target", { action: "a.b", target: "one" }, { parameters: { path: "one" } }],
    [
      "targets under a path",
      { action: "a.b", target: { under: "data" } },
      { parameters: { path: "data/exoarmur-prove" } },
    ],
    [
      "targets by prefix",
      { action: "a.b", target: { prefix: "laptop-" } },
      { parameters: { path: "laptop-exoarmur-prove" } },
    ],
    ["an executor", { action: "a.b", executor: ["mine"] }, { executor: "mine" }],
    ["an actor", { action: "a.b", actor: { id: "eve", type: "user" } }, { actor: { id: "eve", type: "user" } }],
    ["a parameter", { action: "a.b", parameters: { "/force": true } }, { parameters: { force: true } }],
    [
      "parameters of a set",
      { action: "a.b", parameters: { "/env": { in: ["prod"] } } },
      { parameters: { env: "prod" } },
    ],
    ["parameters of a range", { action: "a.b", parameters: { "/sum": { min: 5 } } }, { parameters: { sum: 5 } }],
  ])("%s", (_, match, expected) => {
    expect(ownAsk(policyOf(asking(match)), place)).toMatchObject({ ruleId: "ask", ...expected });
  });
});

describe("none is made up", () => {
  it.each<[string, PolicyRule[]]>([
    ["without a rule that asks", [{ id: "allow", match: { action: "a.b" }, verdict: "allow" }]],
    [
      "behind a rule that denies it",
      [{ id: "no", match: { action: "a.*" }, verdict: "deny" }, asking({ action: "a.b" })],
    ],
    ["for another tenant", [asking({ action: "a.b", tenant: "other" })]],
    ["for a URL", [asking({ action: "a.b", target: { url: { host: "example.com" } } })]],
    ["for a pattern of a parameter", [asking({ action: "a.b", parameters: { "/to": { matches: "^x" } } })]],
    ["for a parameter inside of another", [asking({ action: "a.b", parameters: { "/a/b": 1 } })]],
    ["for the parameter that is the target", [asking({ action: "a.b", parameters: { "/path": 1 } })]],
    ["for an executor that cannot be", [asking({ action: "a.b", executor: "../../x" })]],
    ["for an executor that is a guest already", [asking({ action: "a.b", executor: "exoarmur-prove-files" })]],
    ["for an attestation", [asking({ action: "a.b", attestation: { predicateType: "p" } })]],
  ])("%s", (_, rules) => {
    expect(ownAsk(policyOf(...rules), place)).toBeUndefined();
  });
});
