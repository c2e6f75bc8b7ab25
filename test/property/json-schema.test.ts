import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalText, type JsonValue } from "../../src/canonical/jcs.js";
import { compileJsonSchema, type JsonObject } from "../../src/contracts/json-schema.js";
import { violationOf } from "../../src/contracts/json-schema-check.js";

type Schema = boolean | { readonly [keyword: string]: JsonValue };

const same = (a: JsonValue, b: JsonValue): boolean => canonicalText(a) === canonicalText(b);
const typeOf = (value: JsonValue): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

/** The words of JSON Schema taken one by one, as a second opinion: keyword -> does the value satisfy it? */
const meaning: Readonly<Record<string, (rule: never, value: JsonValue, holds: Holds, all: JsonObject) => boolean>> = {
  type: (rule: string | string[], value) =>
    [rule].flat().some((name) => name === typeOf(value) || (name === "integer" && Number.isInteger(value))),
  enum: (rule: JsonValue[], value) => rule.some((one) => same(one, value)),
  const: (rule: JsonValue, value) => same(rule, value),
  required: (rule: string[], value) =>
    typeOf(value) !== "object" || rule.every((name) => Object.hasOwn(value as object, name)),
  properties: (rule: Record<string, Schema>, value, holds) =>
    typeOf(value) !== "object" ||
    Object.entries(value as JsonObject).every(
      ([name, one]) => !Object.hasOwn(rule, name) || holds(rule[name] as Schema, one),
    ),
  additionalProperties: (rule: Schema, value, holds, all) =>
    typeOf(value) !== "object" ||
    Object.entries(value as JsonObject).every(
      ([name, one]) => Object.hasOwn((all["properties"] ?? {}) as object, name) || holds(rule, one),
    ),
  prefixItems: (rule: Schema[], value, holds) =>
    !Array.isArray(value) || value.every((one, i) => i >= rule.length || holds(rule[i] as Schema, one)),
  items: (rule: Schema, value, holds, all) => {
    const first = Array.isArray(all["prefixItems"]) ? all["prefixItems"].length : 0;
    return !Array.isArray(value) || value.every((one, i) => i < first || holds(rule, one));
  },
  minItems: (rule: number, value) => !Array.isArray(value) || value.length >= rule,
  maxItems: (rule: number, value) => !Array.isArray(value) || value.length <= rule,
  uniqueItems: (rule: boolean, value) =>
    !rule || !Array.isArray(value) || new Set(value.map((one) => canonicalText(one))).size === value.length,
  minLength: (rule: number, value) => typeof value !== "string" || [...value].length >= rule,
  maxLength: (rule: number, value) => typeof value !== "string" || [...value].length <= rule,
  minimum: (rule: number, value) => typeof value !== "number" || value >= rule,
  maximum: (rule: number, value) => typeof value !== "number" || value <= rule,
  exclusiveMinimum: (rule: number, value) => typeof value !== "number" || value > rule,
  exclusiveMaximum: (rule: number, value) => typeof value !== "number" || value < rule,
  multipleOf: (rule: number, value) => typeof value !== "number" || value % rule === 0,
  allOf: (rule: Schema[], value, holds) => rule.every((one) => holds(one, value)),
  anyOf: (rule: Schema[], value, holds) => rule.some((one) => holds(one, value)),
  oneOf: (rule: Schema[], value, holds) => rule.filter((one) => holds(one, value)).length === 1,
  not: (rule: Schema, value, holds) => !holds(rule, value),
};

type Holds = (schema: Schema, value: JsonValue) => boolean;

function oracle(definitions: Readonly<Record<string, Schema>>): Holds {
  const holds: Holds = (schema, value) => {
    if (typeof schema === "boolean") return schema;
    return Object.entries(schema).every(([keyword, rule]) =>
      keyword === "$ref"
        ? holds(definitions[String(rule).slice("#/$defs/".length)] as Schema, value)
        : (meaning[keyword]?.(rule as never, value, holds, schema as JsonObject) ?? true),
    );
  };
  return holds;
}

const name = fc.constantFrom("a", "b", "toString", "x/y", "~", "%");
const small = fc.integer({ min: -3, max: 6 });
const count = fc.integer({ min: 0, max: 3 });
const text = fc.string({ unit: fc.constantFrom("a", "é", "\u{1f600}", "\u0301"), maxLength: 3 });

const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    small,
    fc.constantFrom(0.5, 2.5),
    text,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(name, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

const { schema } = fc.letrec<{ schema: Schema }>((tie) => {
  const some = fc.array(tie("schema"), { minLength: 1, maxLength: 3 });
  const types = fc.constantFrom("null", "boolean", "object", "array", "number", "integer", "string");
  const keywords = fc.record(
    {
      type: fc.oneof(types, fc.uniqueArray(types, { minLength: 1, maxLength: 3 })),
      enum: fc.array(value, { minLength: 1, maxLength: 3 }),
      const: value,
      required: fc.array(name, { maxLength: 2 }),
      properties: fc.dictionary(name, tie("schema"), { maxKeys: 3, noNullPrototype: true }),
      additionalProperties: tie("schema"),
      prefixItems: some,
      items: tie("schema"),
      minItems: count,
      maxItems: count,
      uniqueItems: fc.boolean(),
      minLength: count,
      maxLength: count,
      minimum: small,
      maximum: small,
      exclusiveMinimum: small,
      exclusiveMaximum: small,
      multipleOf: fc.constantFrom(1, 2, 0.5),
      allOf: some,
      anyOf: some,
      oneOf: some,
      not: tie("schema"),
      $ref: fc.constantFrom("#/$defs/one", "#/$defs/two"),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  // Few keywords at a time: with many nearly everything is refused by one of them.
  const few = fc.tuple(keywords, fc.array(fc.nat(), { minLength: 1, maxLength: 3 })).map(([all, picks]) => {
    const entries = Object.entries(all);
    return Object.fromEntries(picks.flatMap((pick) => entries.slice(pick % (entries.length || 1)).slice(0, 1)));
  });
  return { schema: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.boolean(), few as fc.Arbitrary<Schema>) };
});

/** A schema without references, for what references lead to. */
const withoutReferences = schema.map(
  (one) => JSON.parse(JSON.stringify(one).replaceAll('"$ref"', '"$comment"')) as Schema,
);

describe("checking a value", () => {
  test("says what the words of JSON Schema say, and where", () => {
    let fits = 0;
    let breaks = 0;
    fc.assert(
      fc.property(schema, withoutReferences, withoutReferences, value, (root, one, two, given) => {
        const $defs = { one, two };
        const whole: JsonObject = { ...(typeof root === "boolean" ? { allOf: [root] } : root), $defs };
        const violation = violationOf(whole, given);
        expect(violation === null).toBe(oracle($defs)(root, given));
        if (violation === null) {
          fits++;
          return;
        }
        breaks++;
        let place: unknown = given;
        for (const part of violation.pointer.split("/").slice(1)) {
          const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
          expect(Object.hasOwn(place as object, key)).toBe(true);
          place = (place as Record<string, unknown>)[key];
        }
        expect(Object.keys(meaning)).toContain(violation.keyword);
      }),
      { numRuns: 700, seed: 20261127 },
    );
    expect(Math.min(fits, breaks)).toBeGreaterThan(140);
  });

  test("says the same whatever the order of the schema's members", () => {
    const reversed = (one: unknown): unknown =>
      Array.isArray(one)
        ? one.map(reversed)
        : typeof one === "object" && one !== null
          ? Object.fromEntries(
              Object.entries(one)
                .reverse()
                .map(([key, member]) => [key, reversed(member)]),
            )
          : one;
    fc.assert(
      fc.property(withoutReferences, value, (root, given) => {
        const whole = { allOf: [root] };
        expect(violationOf(reversed(whole) as JsonObject, given)).toEqual(violationOf(whole, given));
      }),
      { numRuns: 150, seed: 20261127 },
    );
  });
});

describe("any JSON as a schema", () => {
  test("compiles or is refused, and never throws", () => {
    const anything = fc.dictionary(
      fc.constantFrom(...Object.keys(meaning), "$ref", "$defs", "$schema", "title", "x"),
      fc.oneof(fc.jsonValue(), schema),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(anything, fc.jsonValue(), (given, instance) => {
        const compiled = compileJsonSchema(given as JsonObject);
        if (!compiled.ok) expect(compiled.message).toMatch(/^expected /);
        else expect(() => violationOf(given as JsonObject, instance as JsonValue)).not.toThrow();
      }),
      { numRuns: 300, seed: 20261127 },
    );
  });
});
