import fc from "fast-check";
import { Packr, unpack } from "msgpackr";
import { describe, expect, test } from "vitest";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import type { AbiValue } from "../../src/ports.js";
import { codeOf, errorOf } from "./helpers.js";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");

const abi = fc.letrec<{ value: AbiValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((n) => !Object.is(n, -0) && (!Number.isInteger(n) || Number.isSafeInteger(n) || Math.abs(n) >= 1e21)),
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(
      fc.string({ unit: "binary", maxLength: 8 }).filter((key) => key !== "__proto__"),
      tie("value"),
      {
        maxKeys: 20,
        noNullPrototype: true,
      },
    ),
  ),
})).value;

describe("round trip", () => {
  test("decode(encode(v)) is v, and any msgpack reader agrees", () => {
    fc.assert(
      fc.property(abi, (value) => {
        const encoded = encodeAbi(value);
        expect(decodeAbi(encoded)).toEqual(value);
        expect(encodeAbi(decodeAbi(encoded))).toEqual(encoded);
      }),
      { numRuns: 500 },
    );
  });

  test("one value has one encoding, whatever the order of its members", () => {
    expect(hex(encodeAbi({ b: 1, a: 2, 10: 3, 9: 4 }))).toBe(hex(encodeAbi({ 9: 4, 10: 3, a: 2, b: 1 })));
    expect(hex(encodeAbi({ 9: 4, 10: 3, b: 1 }))).toBe("83a2313003a13904a16201");
  });

  test("decodes what a plain msgpackr guest sends", () => {
    const packr = new Packr({ useRecords: false, variableMapSize: true });
    const value = {
      path: "data/ä.csv",
      size: 2 ** 40,
      ratio: 0.5,
      neg: -70_000,
      list: [1, [null, true]],
      raw: "x".repeat(70_000),
    };
    expect(decodeAbi(packr.pack(value))).toEqual(value);
    expect(unpack(encodeAbi(value))).toEqual(value);
  });
});

test.each<[string, AbiValue]>([
  ["c0", null],
  ["c2", false],
  ["c3", true],
  ["00", 0],
  ["7f", 127],
  ["cc80", 128],
  ["cd0100", 256],
  ["ce00010000", 65_536],
  ["ff", -1],
  ["e0", -32],
  ["d0df", -33],
  ["d1ff7f", -129],
  ["d2ffff7fff", -32_769],
  ["cb433fffffffffffff", 9_007_199_254_740_991],
  ["cb3fe0000000000000", 0.5],
  ["a0", ""],
  ["a161", "a"],
  ["d920" + "61".repeat(32), "a".repeat(32)],
  ["c400", new Uint8Array(0)],
  ["c4020102", Uint8Array.of(1, 2)],
  ["90", []],
  ["920102", [1, 2]],
  ["80", {}],
  ["81a16193c0c2c3", { a: [null, false, true] }],
  [
    "de0010" + Array.from({ length: 16 }, (_, i) => `a1${(0x61 + i).toString(16)}c0`).join(""),
    Object.fromEntries(Array.from({ length: 16 }, (_, i) => [String.fromCharCode(0x61 + i), null])),
  ],
])("%s", (text, value) => {
  expect(hex(encodeAbi(value))).toBe(text);
  expect(decodeAbi(bytes(text))).toEqual(value);
});

test.each<[string, string, AbiValue]>([
  ["wide integers", "cf0000000000000001", 1],
  ["the greatest uint64 taken", "cf001fffffffffffff", 9_007_199_254_740_991],
  ["the least int64 taken", "d3ffe0000000000001", -9_007_199_254_740_991],
  ["integers as float64", "cb3ff0000000000000", 1],
  ["wide headers", "db0000000161", "a"],
  ["wide arrays", "dd00000001c0", [null]],
  ["wide maps", "df00000001a161c0", { a: null }],
  ["wide bytes", "c60000000101", Uint8Array.of(1)],
])("decoding takes %s", (_, text, value) => {
  expect(decodeAbi(bytes(text))).toEqual(value);
});

test("decoded bytes are a copy", () => {
  const source = bytes("c4020102");
  const value = decodeAbi(source) as Uint8Array;
  source[2] = 9;
  expect(value).toEqual(Uint8Array.of(1, 2));
  expect(value.buffer.byteLength).toBe(2);
});

describe("decoding refuses", () => {
  test.each([
    ["nothing", ""],
    ["a reserved type", "c1"],
    ["float32", "ca3f800000"],
    ["NaN", "cb7ff8000000000000"],
    ["NaN with a payload", "cbfff8000000000001"],
    ["Infinity", "cb7ff0000000000000"],
    ["-Infinity", "cbfff0000000000000"],
    ["-0", "cb8000000000000000"],
    ["2^53 as uint64", "cf0020000000000000"],
    ["2^64-1", "cfffffffffffffffff"],
    ["-2^53 as int64", "d3ffe0000000000000"],
    ["2^53 as float64", "cb4340000000000000"],
    ["fixext 1", "d40100"],
    ["fixext 16", "d801" + "00".repeat(16)],
    ["ext 8", "c7010100"],
    ["ext 16", "c800010100"],
    ["ext 32", "c9000000010100"],
    ["a timestamp", "d6ff00000000"],
    ["a number as key", "810101"],
    ["nil as key", "81c001"],
    ["bytes as key", "81c4016101"],
    ["an array as key", "819001"],
    ["the same key twice", "82a16101a16102"],
    ["the same key twice, by another width", "82a16101d9016102"],
    ["__proto__", "81a95f5f70726f746f5f5f01"],
    ["malformed UTF-8", "a1ff"],
    ["a surrogate in UTF-8", "a3eda080"],
    ["an overlong character", "a2c0af"],
    ["bytes after the end", "c0c0"],
    ["a cut string", "a261"],
    ["a cut string header", "da00"],
    ["cut bytes", "c40201"],
    ["a cut integer", "cd01"],
    ["a cut float", "cb00"],
    ["a cut array", "9201"],
    ["a cut map", "81a161"],
    ["an array said to be huge", "ddffffffff"],
    ["a map said to be huge", "dfffffffff"],
    ["a string said to be huge", "dbffffffff61"],
    ["bytes said to be huge", "c6ffffffff00"],
    ["33 levels", "91".repeat(33) + "c0"],
    ["a hundred thousand levels", "91".repeat(100_000)],
  ])("%s", (_, text) => {
    expect(codeOf(() => decodeAbi(bytes(text)))).toBe("EXO_MSGPACK");
  });

  test("whatever else is not of the profile: random bytes never do anything but decode or be refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (data) => {
        try {
          expect(decodeAbi(encodeAbi(decodeAbi(data)))).toEqual(decodeAbi(data));
        } catch (error) {
          expect((error as { code: string }).code).toBe("EXO_MSGPACK");
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("limits are the caller's", () => {
    expect(decodeAbi(bytes("9191c0"), { maxDepth: 2, maxBytes: 3 })).toEqual([[null]]);
    expect(codeOf(() => decodeAbi(bytes("9191c0"), { maxDepth: 1 }))).toBe("EXO_MSGPACK");
    // {a: 1, b: [2, 3]}: four in the map, two in the array.
    const six = bytes("82 a161 01 a162 92 02 03");
    expect(decodeAbi(six, { maxItems: 6 })).toEqual({ a: 1, b: [2, 3] });
    for (const maxItems of [5, 4, 3, 0]) {
      expect(errorOf(() => decodeAbi(six, { maxItems })).message).toMatch(/has too many values/);
    }
    expect(codeOf(() => decodeAbi(bytes("9191c0"), { maxBytes: 2 }))).toBe("EXO_MSGPACK");
    expect(decodeAbi(bytes("91".repeat(32) + "c0"))).toBeDefined();
  });

  test("and says where", () => {
    expect(errorOf(() => decodeAbi(bytes("92c0c1"))).place).toEqual({ offset: 3 });
  });
});

describe("encoding refuses", () => {
  let deep: AbiValue = 1;
  for (let i = 0; i < 33; i++) deep = [deep];
  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["an undefined member", { a: undefined }],
    ["a hole", new Array(2)],
    ["a bigint", 1n],
    ["a function", () => 1],
    ["a symbol", Symbol("a")],
    ["a symbol key", { [Symbol("a")]: 1 }],
    ["a hidden member", Object.defineProperty({}, "a", { value: 1, enumerable: false })],
    ["NaN", NaN],
    ["Infinity", Infinity],
    ["-0", -0],
    ["2^53", 2 ** 53],
    ["a Map", new Map()],
    ["a Set", new Set()],
    ["a Date", new Date(0)],
    ["a Float64Array", new Float64Array(1)],
    ["an ArrayBuffer", new ArrayBuffer(1)],
    ["a boxed number", Object(1)],
    ["a lone surrogate", "\ud800"],
    ["a lone surrogate in a key", { "\ud800": 1 }],
    ["__proto__", JSON.parse('{"__proto__":1}')],
    ["33 levels", deep],
  ])("%s", (_, value) => {
    expect(codeOf(() => encodeAbi(value as AbiValue))).toBe("EXO_MSGPACK");
    expect(codeOf(() => encodeAbi([value] as AbiValue))).toBe("EXO_MSGPACK");
  });
});
