import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { canonicalText, type JsonValue } from "../../src/canonical/jcs.js";
import { pointerOf } from "../../src/contracts/common.js";
import { compileJsonSchema, type JsonObject } from "../../src/contracts/json-schema.js";
import { describeViolation, violationOf } from "../../src/contracts/json-schema-check.js";

const refusal = (schema: unknown): string => {
  const compiled = compileJsonSchema(schema as JsonObject);
  return compiled.ok ? "ok" : `${pointerOf(compiled.path) || "/"}: ${compiled.message}`;
};
const found = (schema: JsonObject, value: JsonValue): string | null => {
  const violation = violationOf(schema, value);
  return violation === null ? null : describeViolation(violation);
};
const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

describe("the published vectors of the keywords manifests may use", () => {
  type Group = {
    readonly file: string;
    readonly description: string;
    readonly schema: JsonObject | boolean;
    readonly tests: readonly { readonly description: string; readonly data: JsonValue; readonly valid: boolean }[];
  };
  const file = new URL("../vectors/json-schema-2020-12.json", import.meta.url);
  const { groups } = JSON.parse(readFileSync(file, "utf8")) as { groups: readonly Group[] };
  const isTaken = (group: Group): boolean => typeof group.schema === "object" && refusal(group.schema) === "ok";

  test("are checked, all but those beyond the allowed keywords", () => {
    const taken = groups.filter(isTaken);
    expect([groups.length, taken.length, taken.flatMap(({ tests }) => tests).length]).toEqual([185, 144, 523]);
    for (const group of groups.filter((one) => !isTaken(one) && typeof one.schema === "object")) {
      expect(refusal(group.schema)).toMatch(
        /(?:Properties|Schemas|Names|\$anchor|\$id): expected one of the keywords|expected #\/\$defs\/|root only|at least one value|expected JSON/,
      );
    }
  });

  test.each(groups.filter(isTaken))("$file: $description", ({ schema, tests }) => {
    for (const { description, data, valid } of tests) {
      expect(violationOf(schema as JsonObject, data) === null, description).toBe(valid);
    }
  });
});

describe("a schema", () => {
  test.each<[string, unknown, string]>([
    ["an unknown keyword", { typ: "string" }, "/typ: expected one of the keywords type, enum, const,"],
    ["pattern", { properties: { a: { pattern: "(a+)+$" } } }, "/properties/a/pattern: expected one of the keywords"],
    ["patternProperties", { patternProperties: { "^a": true } }, "/patternProperties: expected one of the keywords"],
    ["format", { format: "date" }, "/format: expected one of the keywords"],
    ["a remote reference", { $ref: "https://example.com/s.json" }, "/$ref: expected #/$defs/"],
    ["a pointer into the schema", { $ref: "#/properties/a" }, "/$ref: expected #/$defs/"],
    ["the whole again", { properties: { a: { $ref: "#" } } }, "/properties/a/$ref: expected #/$defs/"],
    ["a reference by percent", { $ref: "#/$defs/a%62" }, "/$ref: expected #/$defs/"],
    ["a reference that is no text", { $ref: 1 }, "/$ref: expected #/$defs/"],
    ["a dynamic reference", { $dynamicRef: "#a" }, "/$dynamicRef: expected one of the keywords"],
    ["an anchor", { $anchor: "a" }, "/$anchor: expected one of the keywords"],
    ["an id", { $id: "https://example.com/s.json" }, "/$id: expected one of the keywords"],
    ["a missing definition", { $ref: "#/$defs/a" }, "/$ref: expected the name of a definition"],
    ["a definition of every object", { $ref: "#/$defs/constructor" }, "/$ref: expected the name of a definition"],
    [
      "another dialect",
      { $schema: "http://json-schema.org/draft-07/schema#" },
      "/$schema: expected https://json-schema",
    ],
    ["a dialect inside", { items: { $schema: "x" } }, "/items/$schema: expected at the root only"],
    ["definitions inside", { items: { $defs: {} } }, "/items/$defs: expected at the root only"],
    ["definitions that are none", { $defs: [] }, "/$defs: expected an object"],
    ["an unused definition that is none", { $defs: { a: 1 } }, "/$defs/a: expected a schema: an object, true or false"],
    ["an unknown type", { type: "date" }, "/type: expected one or more different names of null, boolean,"],
    ["no type", { type: [] }, "/type: expected one or more"],
    ["a type twice", { type: ["null", "null"] }, "/type: expected one or more"],
    ["a type of every object", { type: "toString" }, "/type: expected one or more"],
    ["an empty enum", { enum: [] }, "/enum: expected a list of at least one value"],
    ["an enum that is no list", { enum: {} }, "/enum: expected a list of at least one value"],
    ["no alternatives", { anyOf: [] }, "/anyOf: expected a list of at least one schema"],
    ["alternatives that are no list", { oneOf: {} }, "/oneOf: expected a list of at least one schema"],
    ["an alternative that is no schema", { oneOf: [true, 0] }, "/oneOf/1: expected a schema"],
    ["items by position under the old name", { items: [true] }, "/items: expected a schema"],
    ["properties that are a list", { properties: [] }, "/properties: expected an object"],
    ["names that are no names", { required: [1] }, "/required: expected a list of names"],
    ["a negative length", { minLength: -1 }, "/minLength: expected an integer from 0"],
    ["half an item", { maxItems: 0.5 }, "/maxItems: expected an integer from 0"],
    ["a length beyond all", { maxLength: 1e21 }, "/maxLength: expected an integer from 0"],
    ["a bound that is no number", { minimum: "0" }, "/minimum: expected a number"],
    ["the old exclusive bound", { exclusiveMinimum: true }, "/exclusiveMinimum: expected a number"],
    ["a multiple of nothing", { multipleOf: 0 }, "/multipleOf: expected a number above 0"],
    ["uniqueness that is no flag", { uniqueItems: 1 }, "/uniqueItems: expected true or false"],
    ["nothing", { not: null }, "/not: expected a schema"],
    ["a keyword of every object", { constructor: true }, "/constructor: expected one of the keywords"],
    ["a key that readers refuse", JSON.parse('{"properties":{"__proto__":true}}'), "/: expected JSON: "],
    ["what JSON cannot hold", { const: undefined }, "/: expected JSON: "],
  ])("with %s is refused, saying where and what is allowed", (_what, schema, message) => {
    expect(refusal(schema)).toContain(message);
    expect(refusal(schema)).toMatch(/^\/\S*: expected /);
  });

  const levels = (count: number, leaf: unknown = true): unknown =>
    Array.from({ length: count }).reduce<unknown>((inner) => ({ items: inner }), leaf);
  const chain = (count: number, next: (name: string) => unknown): Record<string, unknown> =>
    Object.fromEntries(many(count, 0).map((_, i) => [`d${i}`, i === count - 1 ? true : next(`#/$defs/d${i + 1}`)]));

  test.each<[string, unknown, string]>([
    ["one that leads to itself", { $defs: { a: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }, "not lead back to itself"],
    [
      "a tree of itself",
      { $defs: { a: { properties: { kids: { items: { $ref: "#/$defs/a" } } } } } },
      "/$defs/a/properties/kids/items/$ref: expected a reference that does not lead back to itself",
    ],
    [
      "a ring",
      { $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }] }, b: { not: { $ref: "#/$defs/a" } } } },
      "expected a reference that does not lead back to itself",
    ],
    [
      "doubling references",
      { $defs: chain(30, ($ref) => ({ allOf: [{ $ref }, { $ref }] })), $ref: "#/$defs/d0" },
      "expected at most 2000 parts, references followed",
    ],
    [
      "a long chain of references",
      { $defs: chain(40, ($ref) => ({ items: { $ref } })), $ref: "#/$defs/d0" },
      "expected at most 32 levels of schemas",
    ],
    ["33 levels", levels(32), "expected at most 32 levels of schemas"],
    ["2,001 parts", { anyOf: many(2000, true) }, "expected at most 2000 parts"],
    ["2,001 required names", { required: many(2000, "a") }, "expected at most 2000 parts"],
    ["an enum of 2,001", { enum: many(2000, 0) }, "expected at most 2000 parts"],
    ["a deep constant", { const: levels(100) }, "ok"],
    ["more text than a schema may have", { description: "x".repeat(65_536) }, "a schema of at most 65536 characters"],
    ["a value nested beyond all readers", { const: levels(200) }, "expected JSON"],
  ])("with %s is bounded", (_what, schema, message) => {
    expect(refusal(schema)).toContain(message);
  });

  test("at its bounds is taken", () => {
    expect(refusal(levels(31))).toBe("ok");
    expect(refusal({ anyOf: many(1999, true) })).toBe("ok");
    expect(refusal({ $schema: "https://json-schema.org/draft/2020-12/schema", $defs: {}, title: "t" })).toBe("ok");
  });

  test("keeps notes out of what is checked", () => {
    const notes = { title: 1, description: [], default: "x", examples: [{}], $comment: null } as unknown as JsonObject;
    expect(compileJsonSchema({ ...notes, type: "string" })).toEqual({
      ok: true,
      value: { schema: { type: "string" }, parts: 2, comparesItems: false },
    });
  });

  test("compiles to the same whatever the order of its members", () => {
    const one = { required: ["b"], properties: { b: { minimum: 1, type: "number" }, a: true }, type: "object" };
    const other = { type: "object", properties: { a: true, b: { type: "number", minimum: 1 } }, required: ["b"] };
    const text = (schema: JsonObject): string => JSON.stringify(compileJsonSchema(schema));
    expect(text(one)).toBe(text(other));
    expect(canonicalText(one)).toBe(canonicalText(other));
  });

  test("is not changed by being compiled or checked, and may be frozen", () => {
    const schema = Object.freeze({
      $defs: Object.freeze({ a: Object.freeze({ type: "string" }) }),
      properties: Object.freeze({ x: Object.freeze({ $ref: "#/$defs/a" }) }),
    }) as unknown as JsonObject;
    expect(found(schema, { x: 1 })).toBe('at "/x", type: expected string');
    expect(Reflect.ownKeys(schema)).toEqual(["$defs", "properties"]);
  });
});

describe("a violation", () => {
  test.each<[JsonObject, JsonValue, string | null]>([
    [{ type: "object" }, [], 'at "", type: expected object'],
    [{ type: ["string", "null"] }, 5, 'at "", type: expected string or null'],
    [{ type: "integer" }, 1.5, 'at "", type: expected integer'],
    [{ properties: { path: { type: "string" } } }, { path: 7 }, 'at "/path", type: expected string'],
    [{ required: ["a", "b"] }, { a: 1 }, 'at "", required: the member "b" is missing'],
    [{ required: ["toString"] }, {}, 'at "", required: the member "toString" is missing'],
    [{ items: { required: ["a"] } }, [{ a: 1 }, {}], 'at "/1", required: the member "a" is missing'],
    [
      { properties: { a: true }, additionalProperties: false },
      { a: 1, b: 2 },
      'at "/b", additionalProperties: no value is allowed here',
    ],
    [{ additionalProperties: { type: "null" } }, { a: 1 }, 'at "/a", type: expected null'],
    [{ properties: { a: false } }, { a: 1 }, 'at "/a", properties: no value is allowed here'],
    [{ prefixItems: [true], items: false }, [1, 2], 'at "/1", items: no value is allowed here'],
    [{ prefixItems: [{ const: 1 }] }, [2], 'at "/0", const: expected the one allowed value'],
    [{ enum: [1, 2] }, 3, 'at "", enum: expected one of the listed values'],
    [{ minItems: 2 }, [1], 'at "", minItems: expected at least 2 items'],
    [{ maxItems: 1 }, [1, 2], 'at "", maxItems: expected at most 1 items'],
    [{ uniqueItems: true }, [{ a: 1 }, { a: 1 }], 'at "", uniqueItems: expected items that differ'],
    [{ uniqueItems: false }, [1, 1], null],
    [{ minLength: 2 }, "x", 'at "", minLength: expected at least 2 characters'],
    [{ maxLength: 1 }, "\u{1f600}", null],
    [{ maxLength: 1 }, "e\u0301", 'at "", maxLength: expected at most 1 characters'],
    [{ minimum: 1 }, 0, 'at "", minimum: expected at least 1'],
    [{ maximum: 1 }, 2, 'at "", maximum: expected at most 1'],
    [{ exclusiveMinimum: 1 }, 1, 'at "", exclusiveMinimum: expected more than 1'],
    [{ exclusiveMaximum: 1 }, 1, 'at "", exclusiveMaximum: expected less than 1'],
    [{ multipleOf: 0.1 }, 0.3, null],
    [{ multipleOf: 0.1 }, 0.35, 'at "", multipleOf: expected a multiple of 0.1'],
    [{ multipleOf: 1e-300 }, 1.7e308, null],
    [{ anyOf: [{ type: "string" }, { minimum: 5 }] }, 4, 'at "", anyOf: none of the alternatives fits'],
    [{ oneOf: [true, { type: "number" }] }, 4, 'at "", oneOf: not exactly one of the alternatives fits'],
    [{ not: { type: "number" } }, 4, 'at "", not: what is excluded fits'],
    [{ allOf: [true, { minimum: 5 }] }, 4, 'at "", minimum: expected at least 5'],
    [{ $defs: { a: { minimum: 5 } }, $ref: "#/$defs/a", maximum: 3 }, 4, 'at "", minimum: expected at least 5'],
    [
      { properties: { "a/b~c %#é": { items: { type: "null" } } } },
      { "a/b~c %#é": [1] },
      'at "/a~1b~0c %#é/0", type: expected null',
    ],
    [{ properties: { a: { type: "null" }, b: { type: "null" } } }, { b: 1, a: 1 }, 'at "/a", type: expected null'],
  ])("of %j by %j is %j", (schema, value, message) => {
    expect(found(schema, value)).toBe(message);
  });

  test("says nothing of the value", () => {
    const secret = "s3cret-".repeat(3);
    const schemas: JsonObject[] = [
      { type: "null" },
      { const: 1 },
      { enum: [1] },
      { maxLength: 1 },
      { not: {} },
      { anyOf: [{ type: "null" }] },
      { oneOf: [{ maxLength: 1 }] },
    ];
    for (const schema of schemas) expect(found({ items: schema }, [secret])).not.toContain("s3cret");
  });

  test("is short, however long the names", () => {
    const name = "\u0001".repeat(500);
    expect(found({ additionalProperties: false }, { [name]: 1 })).toBe(
      'at "/...", additionalProperties: no value is allowed here',
    );
    expect(found({ properties: { a: { additionalProperties: false } } }, { a: { [name]: 1 } })).toMatch(
      /^at "\/a\/\.\.\."/,
    );
    expect(found({ required: [name] }, {})).toBe('at "", required: a member is missing');
  });

  test("is the same for a frozen value and for one with members of any name", () => {
    const value = JSON.parse('{"constructor":1,"hasOwnProperty":2,"valueOf":{"toString":3}}') as JsonValue;
    expect(found({ properties: { hasOwnProperty: { type: "number" } }, required: ["constructor"] }, value)).toBeNull();
    expect(found({ additionalProperties: { type: "number" } }, Object.freeze(value) as JsonValue)).toBe(
      'at "/valueOf", type: expected number',
    );
  });
});

describe("the work of a check", () => {
  const size = 'at "", size: too large to be checked: more than ';

  test("is bounded by parts times values", () => {
    const schema = { items: { anyOf: many(998, { minimum: 10 }) } };
    expect(refusal(schema)).toBe("ok");
    expect(found(schema, many(1999, 5))).toBe('at "/0", anyOf: none of the alternatives fits');
    expect(found(schema, many(2000, 5))).toBe(`${size}2000 steps`);
  });

  test.each<[string, JsonObject, JsonValue, string]>([
    ["many values", { type: "array" }, many(1_000_000, 0), "1000000 steps"],
    [
      "many names",
      { type: "object" },
      Object.fromEntries(many(500_001, 0).map((_, i) => [String(i), i])),
      "1000000 steps",
    ],
    ["a long text", { type: "string" }, "x".repeat(64_000_000), "1000000 steps"],
    ["a long name", { type: "object" }, { ["x".repeat(64_000_000)]: 1 }, "1000000 steps"],
    ["items to compare", { uniqueItems: true }, many(1500, 0).map((_, i) => i), "2000000 steps"],
    ["items to compare far inside", { items: { items: { uniqueItems: true } } }, [[many(1500, 0)]], "666666 steps"],
  ])("refuses %s instead of going on", (_what, schema, value, steps) => {
    expect(found(schema, value)).toBe(size + steps);
  });

  test("takes what fits", () => {
    expect(
      found(
        { uniqueItems: true },
        many(1200, 0).map((_, i) => i),
      ),
    ).toBeNull();
    expect(found({ type: "array" }, many(900_000, 0))).toBeNull();
    const deep = many(120, 0).reduce<JsonValue>((inner) => [inner], 1);
    expect(found({ const: deep, uniqueItems: true }, deep)).toBeNull();
  });
});
