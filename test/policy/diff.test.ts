import { describe, expect, it } from "vitest";
import type { PolicyDocument, PolicyRule } from "../../src/contracts/policy.js";
import { compilePolicy } from "../../src/policy/compile.js";
import { diffPolicies, type PolicyDiff } from "../../src/policy/diff.js";
import { draftSubject } from "../../src/policy/draft.js";
import { evaluatePolicy } from "../../src/policy/evaluate.js";
import { policyOf } from "./helpers.js";

type Change = readonly [name: string, before: readonly Part[], after: readonly Part[]];
type Part = Omit<PolicyRule, "id">;

const policy = (parts: readonly Part[], prefix = "r"): PolicyDocument =>
  policyOf(...parts.map((part, at) => ({ ...part, id: `${prefix}${at}` })));
const diff = (before: readonly Part[], after: readonly Part[]): PolicyDiff =>
  diffPolicies(policy(before), policy(after, "n"));
const allow = (match: PolicyRule["match"]): Part => ({ match, verdict: "allow" });
const deny = (match: PolicyRule["match"]): Part => ({ match, verdict: "deny" });
const ask = (obligations: PolicyRule["obligations"] = {}): Part => ({
  match: { action: "fs.remove" },
  verdict: "require_approval",
  obligations,
});
const narrow = (paths: string[], more = {}): Part => ({
  ...allow({ action: "fs.read" }),
  obligations: { narrow: { fs_read: { paths, ...more } } },
});

describe("nothing is allowed further", () => {
  it.each<Change>([
    ["by the same rules under other names", [allow({ action: "fs.read" })], [allow({ action: "fs.read" })]],
    ["by an empty policy", [allow({})], []],
    [
      "by rules whose order does not matter",
      [allow({ action: "a.b" }), allow({ action: "c.d" })],
      [allow({ action: "c.d" }), allow({ action: "a.b" })],
    ],
    [
      "by a rule that an earlier one covers",
      [allow({ action: "fs.*" })],
      [allow({ action: "fs.*" }), allow({ action: "fs.read" })],
    ],
    [
      "by a pattern split into its parts",
      [allow({ target: { under: "data" } })],
      [allow({ target: { under: "data/a" } }), allow({ target: { under: "data" } })],
    ],
    ["by a prefix that is a path", [allow({ target: { prefix: "data" } })], [allow({ target: { under: "data" } })]],
    [
      "by a URL that begins as the prefix does",
      [allow({ target: { prefix: "https://h.example/v1" } })],
      [allow({ target: { url: { scheme: "https", host: "h.example", port: 443, path: "/v1" } } })],
    ],
    [
      "by defer in the place of deny",
      [deny({ action: "fs.read" })],
      [{ match: { action: "fs.read" }, verdict: "defer" }],
    ],
    ["by a hold", [ask()], [ask({ holdSeconds: 60 })]],
    ["by more approvals", [ask({ approvals: 1 })], [ask({ approvals: 2, expiresInSeconds: 60 })]],
    ["by the defaults written out", [ask()], [ask({ approvals: 1, roles: ["approver"], expiresInSeconds: 900 })]],
    ["by a narrower grant", [narrow(["data"])], [narrow(["data/a", "data/b"], { maxBytes: 9 })]],
    [
      "by the target alone where it lies in the grant",
      [{ ...narrow(["data"]), match: { action: "fs.read", target: { under: "data" } } }],
      [{ ...narrow(["{target}"]), match: { action: "fs.read", target: { under: "data" } } }],
    ],
    [
      "by a parameter that is asked for as well",
      [allow({ action: "a.b" })],
      [allow({ action: "a.b", parameters: { "/n": { max: 5 } } })],
    ],
    [
      "by a pattern that stays beside a new deny",
      [allow({ parameters: { "/n": { matches: "^x+$" } } })],
      [deny({ action: "a.b" }), allow({ parameters: { "/n": { matches: "^x+$" } } })],
    ],
    ["by an attestation that is asked for as well", [allow({})], [allow({ attestation: { predicateType: "p" } })]],
  ])("%s", (_name, before, after) => {
    const found = diff(before, after);
    expect(found).toMatchObject({ result: "same_or_narrower", widenings: [], undecided: [] });
  });
});

describe("a widening has its class and a request that shows it", () => {
  it.each<readonly [...Change, string]>([
    ["another action", [allow({ action: "fs.read" })], [allow({ action: ["fs.read", "fs.write"] })], "new_action"],
    [
      "all actions of a family",
      [allow({ action: ["fs.read", "fs.write"] })],
      [allow({ action: "fs.*" })],
      "new_action",
    ],
    ["a deny that is gone", [deny({ action: "fs.read" }), allow({})], [allow({})], "new_action"],
    [
      "another actor",
      [allow({ action: "fs.read", actor: { id: "alice" } })],
      [allow({ action: "fs.read", actor: { id: ["alice", "bob"] } })],
      "new_caller",
    ],
    ["any tenant", [allow({ action: "fs.read", tenant: "acme" })], [allow({ action: "fs.read" })], "new_caller"],
    [
      "a deny that comes too late",
      [deny({ target: { under: "data/secret" } }), allow({ target: { under: "data" } })],
      [allow({ target: { under: "data" } }), deny({ target: { under: "data/secret" } })],
      "new_target",
    ],
    [
      "a name that begins alike",
      [allow({ target: { under: "data" } })],
      [allow({ target: { prefix: "data" } })],
      "new_target",
    ],
    [
      "one port more",
      [allow({ target: { url: { host: "h.example", port: 443 } } })],
      [allow({ target: { url: { host: "h.example", port: [443, 8443] } } })],
      "new_target",
    ],
    [
      "any port",
      [allow({ target: { url: { scheme: "https", host: "h.example", port: 443 } } })],
      [allow({ target: { url: { scheme: "https", host: "h.example" } } })],
      "new_target",
    ],
    [
      "a query after the very path",
      [allow({ target: "https://h.example/v1" })],
      [
        deny({ target: { url: { path: "/v1/" } } }),
        allow({ target: { url: { scheme: "https", host: "h.example", port: 443, path: "/v1" } } }),
      ],
      "new_target",
    ],
    [
      "what a deny could not judge",
      [deny({ target: { under: "data" } }), allow({ action: "a.b" })],
      [deny({ target: "data" }), deny({ target: { prefix: "data/" } }), allow({ action: "a.b" })],
      "new_target",
    ],
    [
      "a greater number",
      [allow({ action: "a.b", parameters: { "/n": { max: 5 } } })],
      [allow({ action: "a.b", parameters: { "/n": { max: 6 } } })],
      "new_parameters",
    ],
    [
      "a pattern that is gone",
      [allow({ action: "a.b", parameters: { "/n": { matches: "^yes$" } } })],
      [allow({ action: "a.b" })],
      "new_parameters",
    ],
    ["no approval", [ask()], [allow({ action: "fs.remove" })], "fewer_approvals"],
    ["fewer approvals", [ask({ approvals: 2 })], [ask()], "fewer_approvals"],
    ["another role", [ask()], [ask({ roles: ["intern", "approver"] })], "other_approvers"],
    ["more time", [ask()], [ask({ expiresInSeconds: 901 })], "longer_to_approve"],
    ["a shorter hold", [ask({ holdSeconds: 60 })], [ask({ holdSeconds: 59 })], "shorter_hold"],
    ["no hold", [ask({ holdSeconds: 60 })], [ask()], "shorter_hold"],
    ["a path more", [narrow(["data/a"])], [narrow(["data/a", "data/b"])], "new_grant"],
    ["no obligation", [narrow(["data/a"])], [allow({ action: "fs.read" })], "new_grant"],
    ["the target, wherever it is", [narrow(["data"])], [narrow(["{target}"])], "new_grant"],
  ])("%s", (_name, before, after, kind) => {
    const found = diff(before, after);
    expect(found.result).toBe("widens");
    expect(found.widenings.map((one) => one.class)).toContain(kind);
    for (const { witness, before: old, after: now } of found.widenings) {
      const subject = draftSubject(witness, { tenantId: "default", cellId: "local" });
      expect(evaluatePolicy(compilePolicy(policy(before)), subject)).toMatchObject(old);
      expect(evaluatePolicy(compilePolicy(policy(after, "n")), subject)).toMatchObject(now);
    }
  });
});

describe("what is not decided is said", () => {
  it.each<readonly [...Change, RegExp]>([
    [
      "another pattern",
      [allow({ action: "a.b", parameters: { "/n": { matches: "^[a-f]{8}$" } } })],
      [allow({ action: "a.b", parameters: { "/n": { matches: "^[a-g]{8}$" } } })],
      /depends on parameters or attestations/,
    ],
    [
      "another attester",
      [allow({ action: "a.b", attestation: { predicateType: "p", attester: "x" } })],
      [allow({ action: "a.b", attestation: { predicateType: "p" } })],
      /depends on parameters or attestations/,
    ],
    [
      "places of HTTP in other words",
      [{ ...allow({ action: "a.b" }), obligations: { narrow: { http_request: { urls: ["https://h.example/"] } } } }],
      [{ ...allow({ action: "a.b" }), obligations: { narrow: { http_request: { urls: ["{target}"] } } } }],
      /http_request/,
    ],
    [
      "the beginning of a port",
      [allow({ target: { prefix: "https://h.example:84" } })],
      [deny({ target: "x" }), allow({ target: { prefix: "https://h.example:84" } })],
      /port begins with 84/,
    ],
    [
      "more questions than are combined",
      [
        deny({
          action: "a.b",
          parameters: Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((n) => [`/p${n}`, { matches: "^[a-f]{8}$" }])),
        }),
      ],
      [deny({ action: "a.b" })],
      /more than 6 predicates/,
    ],
  ])("%s", (_name, before, after, why) => {
    const found = diff(before, after);
    expect(found.result).toBe("undecided");
    expect(found.undecided.join("\n")).toMatch(why);
  });
});
