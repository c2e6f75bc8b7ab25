import fc from "fast-check";
import { expect, test } from "vitest";
import { type PolicyDocument, type PolicyRule, policySchema } from "../../src/contracts/policy.js";
import type { CedarPolicy } from "../../src/contracts/policy-cedar.js";
import { isExoArmurError } from "../../src/errors.js";
import { compileProgram, type PolicyProgram } from "../../src/policy/program.js";
import { cedarOf, engine, schemaOf } from "../policy/cedar/support.js";
import { subjectOf } from "../policy/helpers.js";

// Generated rule documents are written in Cedar by a translation of a few lines, and both must decide the same. First match
// wins there and no order exists here, so each policy also says that no earlier rule matched; and what a deny rule cannot
// judge is a deny there, so here its policy holds for that too.

/** A condition in Cedar, and the one under which the question has no answer; undefined where that cannot be. */
type Condition = { readonly yes: string; readonly unclear?: string };

const quote = (text: string) => JSON.stringify(text);
const anyOf = (parts: readonly string[]) =>
  parts.length === 0 ? "false" : parts.map((part) => `(${part})`).join(" || ");
const listOf = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

const oneOf = (value: string | readonly string[], of: string): Condition => ({
  yes: `[${listOf(value).map(quote).join(", ")}].contains(${of})`,
});

function targetIs(target: NonNullable<PolicyRule["match"]["target"]>): Condition {
  const parts = listOf(target as Exclude<typeof target, readonly unknown[]>).map((one): Condition => {
    if (typeof one === "string") return { yes: `resource == Target::${quote(one)}`, unclear: "resource is Cell" };
    if ("under" in one) {
      const under = listOf(one.under).map((path) => `resource in Target::${quote(path)}`);
      return { yes: anyOf(under), unclear: "resource is Cell" };
    }
    if ("prefix" in one) {
      const begins = listOf(one.prefix).map((text) => `resource.text like ${quote(`${text}*`)}`);
      return { yes: `resource is Target && (${anyOf(begins)})`, unclear: "resource is Cell" };
    }
    const isUrl = "resource is Target && resource has host";
    const { yes } = oneOf(one.url.host ?? [], "resource.host");
    return { yes: `${isUrl} && ${yes}`, unclear: `!(${isUrl})` };
  });
  return { yes: anyOf(parts.map(({ yes }) => yes)), unclear: anyOf(parts.flatMap(({ unclear }) => unclear ?? [])) };
}

function parameterIs(pointer: string, match: NonNullable<PolicyRule["match"]["parameters"]>[string]): Condition {
  const name = pointer.slice(1);
  const [has, value] = [`context.parameters has ${name}`, `context.parameters.${name}`];
  const test =
    typeof match !== "object" || match === null
      ? `${value} == ${JSON.stringify(match)}`
      : "in" in match
        ? `${JSON.stringify(match.in)}.contains(${value})`
        : "matches" in match
          ? "false"
          : `${value} >= ${String(match.min)} && ${value} <= ${String(match.max)}`;
  return { yes: `${has} && ${test}`, unclear: `!(${has})` };
}

function conditionsOf({ match }: PolicyRule): Condition[] {
  const action = listOf(match.action ?? "*").map((one) =>
    one === "*"
      ? "true"
      : one.endsWith(".*")
        ? `action in Action::${quote(one.slice(0, -2))}`
        : `action == Action::${quote(one)}`,
  );
  return [
    { yes: anyOf(action) },
    ...(match.tenant === undefined ? [] : [oneOf(match.tenant, "context.request.tenant")]),
    ...(match.actor?.id === undefined
      ? []
      : [
          {
            yes: `[${listOf(match.actor.id)
              .map((id) => `Actor::${quote(id)}`)
              .join(", ")}].contains(principal)`,
          },
        ]),
    ...(match.actor?.type === undefined ? [] : [oneOf(match.actor.type, "principal.type")]),
    ...(match.target === undefined ? [] : [targetIs(match.target)]),
    ...Object.entries(match.parameters ?? {}).map(([pointer, one]) => parameterIs(pointer, one)),
  ];
}

function translate({ rules }: PolicyDocument): Pick<CedarPolicy, "policies" | "cedarSchema"> {
  const earlier: string[] = [];
  const policies = rules.map((rule) => {
    const holds = conditionsOf(rule)
      .map(({ yes, unclear }) => (rule.verdict === "deny" && unclear !== undefined ? anyOf([yes, unclear]) : yes))
      .map((part) => `(${part})`)
      .join(" && ");
    const unless = earlier.length === 0 ? "" : ` unless { ${anyOf(earlier)} }`;
    earlier.push(holds);
    const verdict = rule.verdict === "deny" || rule.verdict === "allow" ? "" : ` @verdict(${quote(rule.verdict)})`;
    const effect = rule.verdict === "deny" ? "forbid" : "permit";
    return `@id(${quote(rule.id)})${verdict} ${effect}(principal, action, resource) when { ${holds} }${unless};`;
  });
  return {
    policies: policies.join("\n"),
    cedarSchema: schemaOf(["fs.read", "fs.remove", "net.get"], "a?: String, n?: Long"),
  };
}

const someOf = <T>(...values: T[]) => fc.oneof(fc.constantFrom(...values), fc.subarray(values, { minLength: 1 }));
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

const paths = ["data", "data/x", "data/x/y", "database", "tmp"];
const targets = [...paths, "/data/x", "https://a.test/x", "https://b.test/x/y"];
const actors = ["ana", "ben"];

const matches = fc.record({
  tenant: optional(someOf("default", "other")),
  actor: optional(fc.record({ id: optional(someOf(...actors)), type: optional(someOf("agent", "person")) })),
  action: optional(someOf("fs.read", "fs.remove", "fs.*", "net.*", "*")),
  target: optional(
    fc.oneof(
      fc.constantFrom(...targets),
      fc.record({ under: someOf(...paths) }),
      fc.record({ prefix: someOf("data", "https://a", "tm") }),
      fc.record({ url: fc.record({ host: someOf("a.test", "b.test") }) }),
    ),
  ),
  parameters: optional(
    fc.record(
      {
        "/a": fc.oneof(fc.constantFrom("x", "y"), fc.record({ in: fc.subarray(["x", "y", "z"], { minLength: 1 }) })),
        "/n": fc.oneof(fc.constantFrom(1, 2), fc.record({ min: fc.constantFrom(-1, 1), max: fc.constantFrom(1, 5) })),
      },
      { requiredKeys: [] },
    ),
  ),
});

const documents = fc
  .array(fc.record({ match: matches, verdict: fc.constantFrom("allow", "deny", "require_approval", "defer") }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((rules) =>
    policySchema.parse({
      schema: "exoarmur.policy/v1",
      policyId: "test",
      version: 1,
      rules: rules.map((rule, at) => ({ id: `r${String(at)}`, ...(JSON.parse(JSON.stringify(rule)) as object) })),
    }),
  );

const intents = fc.record({
  tenantId: fc.constantFrom("default", "other"),
  actor: fc.record({ id: fc.constantFrom(...actors, "cy"), type: fc.constantFrom("agent", "person") }),
  action: fc.constantFrom("fs.read", "fs.remove", "net.get"),
  target: fc.constantFrom(...targets, undefined),
  parameters: fc.record(
    { a: fc.constantFrom("x", "y", "w"), n: fc.constantFrom(-1, 0, 1, 2, 5) },
    { requiredKeys: [] },
  ),
});

/** A document whose translation Cedar's validator finds pointless in part, such as what can never hold, is not compared. */
function translated(document: PolicyDocument): PolicyProgram | undefined {
  try {
    return compileProgram(cedarOf(translate(document).policies, translate(document)), engine);
  } catch (error) {
    if (isExoArmurError(error, "EXO_SCHEMA") && error.message.includes("is impossible")) return undefined;
    throw error;
  }
}

test("generated rule documents and their translation decide the same", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(documents, fc.array(intents, { minLength: 12, maxLength: 12 }), (document, subjects) => {
      const [rules, cedar] = [compileProgram(document, null), translated(document)];
      fc.pre(cedar !== undefined);
      for (const changes of subjects) {
        const subject = subjectOf(changes);
        const [expected, found] = [rules.evaluate(subject), cedar.evaluate(subject)];
        seen.set(expected.verdict, (seen.get(expected.verdict) ?? 0) + 1);
        expect([found.verdict, found.ruleIds], found.rationale).toEqual([expected.verdict, expected.ruleIds]);
      }
    }),
    { numRuns: 12, seed: 7 },
  );
  for (const verdict of ["allow", "deny", "require_approval", "defer"]) expect(seen.get(verdict)).toBeGreaterThan(5);
});
