import fc from "fast-check";
import { expect, test } from "vitest";
import type { JsonValue } from "../../src/canonical/jcs.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { compilePolicy } from "../../src/policy/compile.js";
import { evaluatePolicy, type PolicySubject } from "../../src/policy/evaluate.js";
import { policyOf, subjectOf } from "./helpers.js";

/**
 * A second reading of spec/policy.md: slow, direct, from the rule documents and with what the evaluator may not use
 * (RegExp, URL). true, false or undefined (cannot be judged).
 */
type Three = boolean | undefined;
const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);
const any = (answers: Three[]): Three =>
  answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
const all = (answers: Three[]): Three =>
  answers.includes(false) ? false : answers.includes(undefined) ? undefined : true;
const isPath = (text: string) => /^(?!\/)(?!.*(?:^|\/)\.{0,2}(?:\/|$))[^\\]+$/.test(text);
const isUrl = (text: string) =>
  /^https:\/\/[a-z.]+(?::8443)?(?:\/(?!\.\.?(?:\/|$))[a-z.0-9]+)*\/?$/.test(text) && /\/\/.*\//.test(text);

function targetHolds(
  rule: Exclude<NonNullable<PolicyRule["match"]["target"]>, unknown[]>,
  target: string | undefined,
): Three {
  if (target === undefined) return undefined;
  if (typeof rule === "string") return rule === target;
  if ("prefix" in rule) return list(rule.prefix).some((prefix) => target.indexOf(prefix) === 0);
  if ("under" in rule) {
    if (!isPath(target)) return target.startsWith("/") || isUrl(target) ? false : undefined;
    return list(rule.under).some((base) => new RegExp(`^${base.replaceAll(".", "\\.")}(?:/|$)`).test(target));
  }
  if (!isUrl(target)) return undefined;
  const url = new URL(target);
  const port = url.port === "" ? 443 : Number(url.port);
  const { scheme, host, path } = rule.url;
  return (
    (scheme === undefined || list(scheme).includes(url.protocol.slice(0, -1))) &&
    (host === undefined || list(host).includes(url.hostname)) &&
    (rule.url.port === undefined || list(rule.url.port).includes(port)) &&
    (path === undefined ||
      list(path).some((p) => url.pathname === p || url.pathname.startsWith(p.replace(/\/?$/, "/"))))
  );
}

function parameterHolds(
  rule: NonNullable<PolicyRule["match"]["parameters"]>[string],
  value: JsonValue | undefined,
): Three {
  if (value === undefined) return undefined;
  if (typeof rule !== "object" || rule === null) return Object.is(rule, value);
  if ("in" in rule) return rule.in.some((one) => Object.is(one, value));
  if ("matches" in rule) return typeof value === "string" ? new RegExp(rule.matches, "su").test(value) : undefined;
  if (typeof value !== "number") return undefined;
  return !(rule.min !== undefined && value < rule.min) && !(rule.max !== undefined && value > rule.max);
}

function ruleHolds({ match }: PolicyRule, { intent }: PolicySubject): Three {
  const pattern = (text: string) =>
    text === "*" || intent.action === text || (text.endsWith(".*") && intent.action.startsWith(text.slice(0, -1)));
  return all([
    match.tenant === undefined || list(match.tenant).includes(intent.tenantId),
    match.actor?.id === undefined || list(match.actor.id).includes(intent.actor.id),
    match.actor?.type === undefined || list(match.actor.type).includes(intent.actor.type),
    match.action === undefined || list(match.action).some(pattern),
    match.executor === undefined || list<string | undefined>(match.executor).includes(intent.executor?.name),
    match.target === undefined || any(list(match.target).map((one) => targetHolds(one, intent.target))),
    ...Object.entries(match.parameters ?? {}).map(([pointer, one]) =>
      parameterHolds(one, (intent.parameters as Record<string, JsonValue>)[pointer.slice(1)]),
    ),
  ]);
}

function interpret(rules: PolicyRule[], subject: PolicySubject): [string, string, boolean] {
  for (const rule of rules) {
    const holds = ruleHolds(rule, subject);
    if (holds === true) return [rule.verdict, rule.id, false];
    if (holds === undefined && rule.verdict === "deny") return ["deny", rule.id, true];
  }
  return ["deny", "default", false];
}

const oneOrMany = <T>(item: fc.Arbitrary<T>) => fc.oneof(item, fc.array(item, { minLength: 1, maxLength: 3 }));
const target = fc.constantFrom(
  "data/a",
  "data/a/b",
  "data/ab",
  "data",
  "/data/a",
  "data/../x",
  "data//a",
  "x\\y",
  "https://a.b/",
  "https://a.b/v/w",
  "https://a.b:8443/v",
  "https://a.b/../v",
  "https://a.b",
  "https://A.b/v",
);
const url = fc.record(
  {
    scheme: oneOrMany(fc.constantFrom("https", "http")),
    host: oneOrMany(fc.constantFrom("a.b", "c.d")),
    port: oneOrMany(fc.constantFrom(443, 8443)),
    path: oneOrMany(fc.constantFrom("/", "/v", "/v/", "/vw")),
  },
  { requiredKeys: [] },
);
const targetMatch = fc.oneof(
  target,
  fc.record({ prefix: oneOrMany(fc.constantFrom("data", "data/a", "https://", "x")) }),
  fc.record({ under: oneOrMany(fc.constantFrom("data", "data/a", "out")) }),
  fc.record({ url }),
);
const literal = fc.constantFrom<string | number | boolean | null>("a", "ab", "1", 1, 2, true, null);
const parameterMatch = fc.oneof(
  literal,
  fc.record({ in: fc.array(literal, { minLength: 1, maxLength: 3 }) }),
  fc.constantFrom({ min: 1 }, { max: 1 }, { min: 1, max: 2 }),
  fc.record({ matches: fc.constantFrom("a", "^a$", "^(?:a|b)+$", "[0-9]") }),
);
const match = fc.record(
  {
    tenant: oneOrMany(fc.constantFrom("default", "other")),
    actor: fc.record(
      { id: oneOrMany(fc.constantFrom("p", "q")), type: oneOrMany(fc.constantFrom("agent", "person")) },
      { requiredKeys: [] },
    ),
    action: oneOrMany(fc.constantFrom("fs.read", "fs.deep.read", "fs.*", "fs.deep.*", "http.*", "*")),
    executor: oneOrMany(fc.constantFrom("fs", "http")),
    target: oneOrMany(targetMatch),
    parameters: fc.dictionary(fc.constantFrom("/a", "/b"), parameterMatch, { maxKeys: 2 }),
  },
  { requiredKeys: [] },
);
const verdict = fc.constantFrom("allow", "deny", "require_approval", "defer");
const rules = fc
  .array(fc.record({ match, verdict }), { maxLength: 8 })
  .map((all) => all.map((rule, index) => ({ id: `r${index}`, ...rule })) as PolicyRule[]);
const subject = fc
  .record({
    tenantId: fc.constantFrom("default", "other"),
    actor: fc.record({ id: fc.constantFrom("p", "q"), type: fc.constantFrom("agent", "person") }),
    action: fc.constantFrom("fs.read", "fs.deep.read", "http.get"),
    executor: fc.option(fc.record({ name: fc.constantFrom("fs", "http") }), { nil: undefined }),
    target: fc.option(target, { nil: undefined }),
    parameters: fc.dictionary(fc.constantFrom("a", "b"), fc.oneof(literal, fc.constant([1])), { maxKeys: 2 }),
  })
  .map(subjectOf);

test("agrees with a naive interpreter of the rule documents", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(rules, subject, (given, of) => {
      const outcome = evaluatePolicy(compilePolicy(policyOf(...given)), of);
      const [expected, ruleId, failed] = interpret(given, of);
      expect([outcome.verdict, outcome.ruleIds, outcome.rationale.startsWith("evaluation error")]).toEqual([
        expected,
        [ruleId],
        failed,
      ]);
      seen.add(`${expected}${ruleId === "default" ? " by default" : ""}${failed ? " by error" : ""}`);
    }),
    { numRuns: 4000 },
  );
  // The generators reach every kind of outcome.
  expect([...seen].sort()).toEqual(["allow", "defer", "deny", "deny by default", "deny by error", "require_approval"]);
});
