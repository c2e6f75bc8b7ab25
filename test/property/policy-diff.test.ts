import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IntentDraft } from "../../src/contracts/intent.js";
import { type PolicyDocument, type PolicyRule, policySchema } from "../../src/contracts/policy.js";
import { type CompiledPolicy, compilePolicy } from "../../src/policy/compile.js";
import { diffPolicies } from "../../src/policy/diff.js";
import { draftSubject } from "../../src/policy/draft.js";
import { evaluatePolicy, type PolicyOutcome } from "../../src/policy/evaluate.js";

const defaults = { tenantId: "default", cellId: "local" };
const judge = (policy: CompiledPolicy, draft: IntentDraft): PolicyOutcome =>
  evaluatePolicy(policy, draftSubject(draft, defaults));

/** What is compared here without the code under test: how far a verdict goes, how many approve, how much they may read. */
function isWider(before: PolicyOutcome, after: PolicyOutcome): boolean {
  const reach = { deny: 0, defer: 0, require_approval: 1, allow: 2 };
  const [from, to] = [reach[before.verdict], reach[after.verdict]];
  if (to === 0) return false;
  if (to > from) return true;
  if (to === 1 && from === 1 && (after.obligations.approvals ?? 1) < (before.obligations.approvals ?? 1)) return true;
  const bytes = ({ obligations }: PolicyOutcome) =>
    obligations.narrow?.["fs_read"]?.maxBytes ?? Number.POSITIVE_INFINITY;
  return bytes(after) > bytes(before);
}

const texts = [
  "data",
  "data/a",
  "data/a/b",
  "data/ab",
  "d",
  "/data",
  "https://h.example/v1",
  "https://h.example/v1/x?q=1",
];
const prefixes = [
  "d",
  "data",
  "data/",
  "data/a",
  "/",
  "/d",
  "h",
  "https",
  "https://",
  "https://h",
  "https://h.example/",
  "https://h.example/v1",
  "https://h.example/v1/x?q",
  "C:",
  "..",
];
const bases = ["data", "data/a", "data/a/b", "dat"];
const some = <T>(items: readonly T[]) => fc.constantFrom(...items);
const few = <T>(items: readonly T[]) =>
  fc.oneof(some(items), fc.uniqueArray(some(items), { minLength: 1, maxLength: 2 }));

const target = fc.oneof(
  some(texts),
  fc.record({ prefix: few(prefixes) }),
  fc.record({ under: few(bases) }),
  fc.record({
    url: fc.record(
      {
        scheme: few(["https", "http", "ftp"]),
        host: few(["h.example", "h", "127.0.0.1"]),
        port: few([443, 80, 8443]),
        path: few(["/", "/v1", "/v1/", "/v1/x"]),
      },
      { requiredKeys: [] },
    ),
  }),
);

const targets = fc.oneof(target, fc.array(target, { minLength: 1, maxLength: 2 }));

const anyMatch = fc.record(
  {
    tenant: few(["default", "acme"]),
    actor: fc.record({ id: few(["alice", "bob"]), type: some(["agent", "person"]) }, { requiredKeys: [] }),
    action: few(["fs.read", "fs.*", "fs.sub.*", "fs.sub.x", "*", "net.get"]),
    executor: some(["fs", "http"]),
    target: targets,
  },
  { requiredKeys: [] },
);

const obligations = fc.record(
  {
    approvals: some([1, 2, 3]),
    narrow: fc.record({ fs_read: fc.record({ maxBytes: some([1, 10]) }, { requiredKeys: [] }) }),
  },
  { requiredKeys: [] },
);

const ruleOf = (match: fc.Arbitrary<PolicyRule["match"]>) =>
  fc.record(
    { match, verdict: some(["allow", "allow", "deny", "deny", "require_approval", "defer"] as const), obligations },
    { requiredKeys: ["match", "verdict"] },
  );

const policyOf = (rules: readonly object[]): PolicyDocument =>
  policySchema.parse({
    schema: "exoarmur.policy/v1",
    policyId: "random",
    version: 1,
    rules: rules.map((one, at) => ({ ...one, id: `r${at}` })) as PolicyRule[],
  });

/** Two policies that have most in common: the second is the first with a rule left out, added, or moved. */
const pairOf = (rule: fc.Arbitrary<object>) =>
  fc
    .tuple(fc.array(rule, { minLength: 1, maxLength: 4 }), fc.nat(3), fc.option(rule, { nil: undefined }), fc.nat(3))
    .map(([rules, gone, more, place]) => {
      const after = rules.filter((_, at) => at !== gone);
      if (more !== undefined) after.splice(place, 0, more);
      return [policyOf(rules), policyOf(after)] as const;
    });

const urls = fc
  .tuple(
    some(["https", "http", "ftp", "wss", "x"]),
    some(["h", "h.example", "ha", "127.0.0.1", "z"]),
    some(["", ":80", ":443", ":8443", ":9"]),
    some(["/", "/v1", "/v1/", "/v1/x", "/v1x", "/v1?", "/v1/x?q=1", "/v1/x?qz", "/v1/x?"]),
  )
  .map((parts) => `${parts[0]}://${parts[1]}${parts[2]}${parts[3]}`);

const targetText = fc.oneof(
  some([...texts, ...prefixes, ...bases]),
  fc
    .tuple(some([...texts, ...prefixes, ...bases, ""]), some(["/", "/z", "z", "\\", "a", "/a", "?", "/b/c", "b"]))
    .map(([a, b]) => a + b),
  urls,
);

const request = fc
  .record(
    {
      tenantId: some(["default", "acme", "elsewhere"]),
      actor: fc.record({ id: some(["alice", "bob", "eve"]), type: some(["agent", "person", "robot"]) }),
      action: some(["fs.read", "fs.write", "fs.sub.x", "fs.sub.y", "fs.sub", "net.get", "mail.send", "fsx.read"]),
      target: targetText,
      executor: some(["fs", "http", "kv"]),
    },
    { requiredKeys: ["actor", "action"] },
  )
  .map((draft): IntentDraft => ({ ...draft, parameters: {} }));

/** Matches that ask for a target alone, so that most requests reach the rules that differ. */
const targetMatch = fc.record({ target: targets });
const targetRequest = targetText.map(
  (text): IntentDraft => ({ actor: "eve", action: "fs.read", target: text, parameters: {} }),
);

describe("a policy diff", () => {
  it.each([
    ["any kind", anyMatch, request],
    ["targets alone", targetMatch, targetRequest],
  ])(
    "over rules about %s finds every widening that a random request shows, and shows none that is not one",
    (_name, match, requests) => {
      const results = { same_or_narrower: 0, widens: 0, undecided: 0 };
      const property = fc.property(
        pairOf(ruleOf(match as fc.Arbitrary<PolicyRule["match"]>)),
        fc.array(requests, { minLength: 80, maxLength: 80 }),
        ([before, after], drafts) => {
          const diff = diffPolicies(before, after);
          results[diff.result]++;
          const [old, now] = [compilePolicy(before), compilePolicy(after)];
          for (const { witness } of diff.widenings)
            expect(isWider(judge(old, witness), judge(now, witness))).toBe(true);
          // Nothing in this part of the language is left open.
          expect(diff.undecided).toEqual([]);
          if (diff.result !== "same_or_narrower") return;
          for (const draft of drafts) {
            if (isWider(judge(old, draft), judge(now, draft))) throw new Error(`missed ${JSON.stringify(draft)}`);
          }
        },
      );
      fc.assert(property, { numRuns: 60 });
      // Both ends were reached often enough to mean something.
      expect(results.widens).toBeGreaterThan(5);
      expect(results.same_or_narrower).toBeGreaterThan(5);
    },
  );
});
