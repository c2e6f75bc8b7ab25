import oracle from "canonicalize";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalize, canonicalText, toPointer } from "../../src/canonical/jcs.js";
import { parseCanonical, readJson } from "../../src/canonical/read.js";
import { codeOf, errorOf } from "./helpers.js";

/** JSON values that both we and the oracle canonicalize: well-formed strings, no -0, no inexact integers. */
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter(hasForm),
    fc.string({ unit: "binary", maxLength: 120 }),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(
      fc.string({ unit: "binary", maxLength: 12 }).filter((key) => key !== "__proto__"),
      tie("value"),
      {
        maxKeys: 40,
        noNullPrototype: true,
      },
    ),
  ),
})).value;

function hasForm(value: number): boolean {
  return !Object.is(value, -0) && (!Number.isInteger(value) || Number.isSafeInteger(value) || Math.abs(value) >= 1e21);
}

describe("properties", () => {
  test("agrees with an independent implementation", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalText(value)).toBe(oracle(value));
      }),
      { numRuns: 1000 },
    );
  });

  test("bytes are the UTF-8 of the text, and reading them gives the value and the bytes again", () => {
    fc.assert(
      fc.property(json, (value) => {
        const bytes = canonicalize(value);
        expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)).toBe(canonicalText(value));
        expect(parseCanonical(bytes)).toEqual(value);
        expect(readJson(bytes)).toEqual(value);
        expect(canonicalize(readJson(bytes))).toEqual(bytes);
      }),
    );
  });

  test("the order in which members were written does not matter", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalText(reversed(value))).toBe(canonicalText(value));
      }),
    );
  });

  test("any change of one byte is refused or is another value", () => {
    fc.assert(
      fc.property(json, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, mask) => {
        const bytes = canonicalize(value);
        const changed = bytes.slice();
        changed[at % bytes.length] = (changed[at % bytes.length] ?? 0) ^ mask;
        try {
          expect(canonicalize(parseCanonical(changed))).toEqual(changed);
        } catch (error) {
          expect((error as { code: string }).code).toMatch(/^EXO_JSON_/);
        }
      }),
    );
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

class Point {
  x = 1;
}
const holed = [1, 0, 2];
delete holed[1];
class List extends Array<number> {}
const hidden = Object.defineProperty({}, "a", { value: 1, enumerable: false });
const accessor = Object.defineProperty({}, "a", { get: () => 1, enumerable: true });
const accessorItem = Object.defineProperty([1], 0, { get: () => 1, enumerable: true });
const hiddenItem = Object.defineProperty([1], 0, { value: 1, enumerable: false });

describe("values without a JSON form", () => {
  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["a bigint", 1n],
    ["a symbol", Symbol("a")],
    ["a function", () => 1],
    ["a Map", new Map([["x", 1]])],
    ["an empty Map", new Map()],
    ["a Set", new Set()],
    ["a Date", new Date(0)],
    ["a RegExp", /a/],
    ["an Error", new Error("a")],
    ["a Promise", Promise.resolve()],
    ["a class instance", new Point()],
    ["a Uint8Array", new Uint8Array(1)],
    ["a Buffer", Buffer.from("a")],
    ["an ArrayBuffer", new ArrayBuffer(1)],
    ["a boxed string", Object("a")],
    ["a boxed number", Object(1)],
    ["a boxed boolean", Object(true)],
    ["an object with a prototype of its own", Object.create({ a: 1 })],
    ["an object with a toJSON method", { toJSON: () => 1 }],
    ["an undefined member", { a: undefined }],
    ["a symbol key", { [Symbol("a")]: 1 }],
    ["a symbol key beside others", { a: 1, [Symbol("a")]: 1 }],
    ["a hidden member", hidden],
    ["an accessor", accessor],
    ["an accessor in an array", accessorItem],
    ["a hidden item", hiddenItem],
    ["a hole", holed],
    ["a long hole", new Array(4_294_967_295)],
    ["an undefined item", [undefined]],
    ["an array with a named member", Object.assign([1], { a: 1 })],
    ["an array with a symbol", Object.assign([1], { [Symbol("a")]: 1 })],
    ["an array with a hole and a named member", Object.assign(holed.slice(), { a: 1 })],
    ["an array of another class", List.of(1)],
    ["a module-like object", Object.setPrototypeOf({ a: 1 }, { __proto__: null, b: 2 })],
  ])("%s", (_, value) => {
    expect(codeOf(() => canonicalize(value))).toBe("EXO_JSON_TYPE");
    expect(codeOf(() => canonicalize({ a: [value] }))).toBe("EXO_JSON_TYPE");
  });

  test("no accessor runs", () => {
    let runs = 0;
    const value = Object.defineProperty({}, "a", { get: () => runs++, enumerable: true });
    expect(codeOf(() => canonicalize(value))).toBe("EXO_JSON_TYPE");
    expect(runs).toBe(0);
  });

  test("each member is read once", () => {
    const reads: string[] = [];
    const value = new Proxy(
      { b: 1, a: 2 },
      {
        getOwnPropertyDescriptor(target, key) {
          reads.push(String(key));
          return Reflect.getOwnPropertyDescriptor(target, key);
        },
        get(_, key) {
          throw new Error(`read ${String(key)}`);
        },
      },
    );
    expect(canonicalText(value)).toBe('{"a":2,"b":1}');
    expect(reads).toEqual(["a", "b"]);
  });

  test("an object without a prototype is plain", () => {
    expect(canonicalText(Object.assign(Object.create(null), { b: 1, a: 2 }))).toBe('{"a":2,"b":1}');
  });
});

describe("other refusals", () => {
  test.each([NaN, Infinity, -Infinity, -0, 2 ** 53, -(2 ** 53), 1e20, 999_999_999_999_999_900_000])(
    "the number %d",
    (value) => {
      expect(codeOf(() => canonicalize(value))).toBe("EXO_JSON_NUMBER");
    },
  );

  test.each(["\ud800", "\udc00", "a\ud83d", "\ude00\ud83d", `${"x".repeat(200)}\ud800`])(
    "lone surrogate in %j",
    (text) => {
      expect(codeOf(() => canonicalize(text))).toBe("EXO_JSON_SURROGATE");
      expect(codeOf(() => canonicalize({ [text]: 1 }))).toBe("EXO_JSON_SURROGATE");
    },
  );

  test("the key __proto__", () => {
    const value: unknown = JSON.parse('{"a":{"__proto__":{"b":1}}}');
    expect(errorOf(() => canonicalize(value))).toMatchObject({
      code: "EXO_JSON_FORBIDDEN_KEY",
      place: { pointer: "/a/__proto__" },
    });
  });

  test("128 levels are accepted, 129 are not", () => {
    const nest = (levels: number): unknown =>
      levels === 0 ? 1 : levels % 2 === 0 ? [nest(levels - 1)] : { a: nest(levels - 1) };
    expect(canonicalText(nest(128))).toHaveLength(64 * 2 + 64 * 6 + 1);
    expect(codeOf(() => canonicalText(nest(129)))).toBe("EXO_JSON_DEPTH");
  });

  test("a cycle is too deep", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle, cycle);
    expect(codeOf(() => canonicalize(cycle))).toBe("EXO_JSON_DEPTH");
  });

  test("shared members cannot blow up: the size limit ends them", () => {
    let value: unknown = "x";
    for (let i = 0; i < 100; i++) value = [value, value];
    expect(codeOf(() => canonicalize(value, { maxBytes: 100_000 }))).toBe("EXO_JSON_SIZE");
  });

  test("maxBytes counts bytes, exactly", () => {
    expect(canonicalize("äöü", { maxBytes: 8 })).toHaveLength(8);
    expect(codeOf(() => canonicalize("äöü", { maxBytes: 7 }))).toBe("EXO_JSON_SIZE");
    expect(canonicalText("äöü", { maxBytes: 8 })).toBe('"äöü"');
    expect(codeOf(() => canonicalText("äöü", { maxBytes: 7 }))).toBe("EXO_JSON_SIZE");
    expect(codeOf(() => canonicalText([1, 2, 3], { maxBytes: 6 }))).toBe("EXO_JSON_SIZE");
  });

  test("three empty containers do not hash alike", () => {
    expect(canonicalText({})).toBe("{}");
    expect(codeOf(() => canonicalText(new Set()))).toBe("EXO_JSON_TYPE");
    expect(codeOf(() => canonicalText(new Map([["x", 1]])))).toBe("EXO_JSON_TYPE");
  });
});

describe("where it is", () => {
  test.each<[unknown, string]>([
    [-0, ""],
    [{ a: -0 }, "/a"],
    [{ a: 1, "b/c": [0, { "d~": NaN }] }, "/b~1c/1/d~0"],
    [[[], [1, -0]], "/1/1"],
    [{ a: { deep: 1 }, b: undefined }, "/b"],
    [{ "": [null, Symbol("x")] }, "//1"],
  ])("%j at %s", (value, pointer) => {
    expect(errorOf(() => canonicalize(value)).place).toEqual({ pointer });
  });

  test("the message shows a bounded pointer", () => {
    expect(errorOf(() => canonicalize({ ["k".repeat(5000)]: -0 })).message.length).toBeLessThan(250);
  });

  test("pointers escape as RFC 6901 says", () => {
    expect(toPointer([])).toBe("");
    expect(toPointer(["a~b", "c/d", 0, "~1"])).toBe("/a~0b/c~1d/0/~01");
  });
});

test("objects of many members sort by code unit too", () => {
  const keys = Array.from({ length: 60 }, (_, i) => `k${(i * 37) % 60}`);
  const text = canonicalText(Object.fromEntries(keys.map((key) => [key, 0])));
  expect(text).toBe(
    `{${[...keys]
      .sort()
      .map((key) => `"${key}":0`)
      .join(",")}}`,
  );
});
