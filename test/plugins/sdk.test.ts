import canonicalize from "canonicalize";
import fc from "fast-check";
import { pack, Unpackr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { MockHost, Refusal } from "./mock-host.js";
import { probe } from "./probe.js";

/** Canonical JSON has no literal for integers beyond 2^53-1. */
const isPlain = (value: number): boolean =>
  !Object.is(value, -0) && (Math.abs(value) <= Number.MAX_SAFE_INTEGER || Math.abs(value) >= 1e21);

const unpackr = new Unpackr({ useRecords: false, int64AsType: "number" });
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

describe("JSON", () => {
  test("documents come back in their compact form", () => {
    for (const [input, output] of [
      [' { "b" : [ 1 , -2.50 , 1e3 ] , "a" : { } , "" : [ ] }\n', '{"b":[1,-2.5,1000],"a":{},"":[]}'],
      ["[true,false,null]", "[true,false,null]"],
      ['"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\/\\"\\\\"', '"Aé€😀/\\"\\\\"'],
      ['"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f"', '"\\b\\f\\n\\r\\t\\u0000\\u001f\u007f"'],
      ['"häßlich 💡 \u2028"', '"häßlich 💡 \u2028"'],
      ["-0", "0"],
      ["-0.0e5", "0"],
      ["1e21", "1e+21"],
      ["123456789012345680000", '"123456789012345680000"'],
      ["-9007199254740993", '"-9007199254740992"'],
      ["9007199254740991", "9007199254740991"],
      [`${"[".repeat(128)}1${"]".repeat(128)}`, `${"[".repeat(128)}1${"]".repeat(128)}`],
    ] as const) {
      expect(probe("json", input)).toMatchObject({ code: 0, text: output });
    }
  });

  test("malformed documents are refused with a byte offset", () => {
    for (const [input, problem] of [
      ["", "expected a value at byte 0"],
      ["{} x", "text after the document at byte 3"],
      ["[1,]", "expected a value at byte 3"],
      ["[1 2]", "expected ',' or ']' at byte 3"],
      ['{"a" 1}', "expected ':' at byte 5"],
      ['{"a":1,}', "expected a key at byte 7"],
      ["{a:1}", "expected a key at byte 1"],
      ['{"a":1 "b":2}', "expected ',' or '}' at byte 7"],
      ['{"a":1,"\\u0061":2}', "a key occurs twice at byte 15"],
      ['"abc', "unterminated or malformed string at byte 4"],
      ['"abc\\', "unterminated or malformed string at byte 4"],
      ['"abc\\"', "unterminated or malformed string at byte 4"],
      ['"\\x"', "malformed escape at byte 3"],
      ['"\\u12g4"', "malformed escape at byte 5"],
      ['"\\ud800"', "malformed escape at byte 7"],
      ['"\\ud800\\u0041"', "malformed escape at byte 13"],
      ['"\\udc00"', "malformed escape at byte 7"],
      ['"a\nb"', "control character in a string at byte 2"],
      ["01", "a number starts with 0 at byte 2"],
      ["-01", "a number starts with 0 at byte 3"],
      ["+1", "expected a value at byte 0"],
      ["1.", "expected a digit at byte 2"],
      [".5", "expected a value at byte 0"],
      ["1e", "expected a digit at byte 2"],
      ["1e400", "a number is out of range at byte 5"],
      ["tru", "expected true at byte 3"],
      ["nulL", "expected null at byte 3"],
      ["NaN", "expected a value at byte 0"],
      ["[", "expected a value at byte 1"],
      ['{"a":', "expected a value at byte 5"],
      [`${"[".repeat(129)}${"]".repeat(129)}`, "nested too deep at byte 128"],
      [`${'{"a":'.repeat(129)}1${"}".repeat(129)}`, "nested too deep at byte 640"],
    ] as const) {
      expect({ input, ...probe("json", input) }).toMatchObject({ input, code: 1, error: problem });
    }
    expect(probe("json", bytes(0x22, 0xff, 0x22))).toMatchObject({ code: 1, error: "not UTF-8 at byte 0" });
  });
});

describe("canonical JSON", () => {
  test("any document, as an independent implementation has it", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 8 });
    const leaf = fc.oneof(
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter(isPlain),
      fc.boolean(),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        leaf,
        fc.array(tie("tree")),
        fc.dictionary(text, tie("tree"), { maxKeys: 40 }),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.boolean(), (document, spaced) => {
        const { code, text: output } = probe("canonical", JSON.stringify(document, null, spaced ? 2 : 0));
        expect([code, output]).toEqual([0, canonicalize(document)]);
      }),
      { numRuns: 300, seed: 20261127 },
    );
  });

  test("keys by UTF-16 code units", () => {
    for (const keys of [
      ["\ud7ff", "\ue000", "\uffff", "😀", "\u{10ffff}", "z", "é", "", "a\u0000", "a"],
      ["aa\uffff", "aa😀", "aa", "aa\ue000b", "aa\ue000a"],
    ]) {
      const object = Object.fromEntries(keys.map((key, i) => [key, i]));
      expect(probe("canonical", JSON.stringify(object)).text).toBe(canonicalize(object));
    }
  });

  test("large integers keep their digits, other numbers their value", () => {
    for (const [input, output] of [
      ["9007199254740991", "9007199254740991"],
      ["-9007199254740991", "-9007199254740991"],
      ["9007199254740992", '"9007199254740992"'],
      ["-9007199254740993", '"-9007199254740993"'],
      ["1000000000000000000000001", '"1000000000000000000000001"'],
      ["1e21", "1e+21"],
      ["12e19", '"120000000000000000000"'],
      ["1.0", "1"],
      ["-0", "0"],
      ["0", "0"],
      ["1e2", "100"],
    ] as const)
      expect([input, probe("canonical", input).text]).toEqual([input, output]);
  });

  test("an object of many keys, with and without one twice", () => {
    const keys = Array.from({ length: 2000 }, (_, i) => `"${(i * 7919) % 2000}":${i}`);
    expect(probe("canonical", `{${keys.join(",")}}`).text).toBe(
      canonicalize(JSON.parse(`{${keys.join(",")}}`) as object),
    );
    for (const again of [0, 31, 32, 33, 200, 1999]) {
      const document = `{${[...keys, keys[again]].join(",")}}`;
      expect(probe("canonical", document).error).toMatch(/^a key occurs twice at byte \d+$/);
    }
  });
});

describe("parameters", () => {
  test("what is asked for, and what stands in for it", () => {
    expect(probe("parameters", '{"any":{"b":1,"a":2},"object":{},"count":7,"choice":"c"}').text).toBe(
      '[true,7,2,{"a":2,"b":1}]',
    );
    expect(probe("parameters", '{"any":null}').text).toBe("[false,-1,0,null]");
  });

  test("what is wrong", () => {
    const count = 'parameter "count" must be a whole number from 0 to 2^53-1';
    for (const [input, error] of [
      ["{}", 'parameter "any" is missing'],
      ['{"any":1,"object":[]}', 'parameter "object" must be an object, not an array'],
      ['{"any":1,"object":null}', 'parameter "object" must be an object, not null'],
      ['{"any":1,"count":-1}', count],
      ['{"any":1,"count":0.5}', count],
      ['{"any":1,"count":9007199254740992}', count],
      ['{"any":1,"count":"1"}', count],
      ['{"any":1,"choice":"d"}', 'parameter "choice" must be "a", "b" or "c"'],
      ['{"any":1,"choice":1}', 'parameter "choice" must be a string, not a number'],
      ['{"object":1,"count":-1}', 'parameter "object" must be an object, not a number'],
      ['{"objekt":1}', 'parameter "objekt" is not known'],
    ] as const)
      expect([input, probe("parameters", input).error]).toEqual([input, error]);
  });
});

test("a secret's placeholder", () => {
  expect(probe("placeholder", "API_TOKEN").text).toBe("{{secret:API_TOKEN}}");
});

describe("msgpack", () => {
  const long = "ü".repeat(40_000);
  const documents: unknown[] = [
    null,
    true,
    false,
    0,
    1,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    4_294_967_295,
    4_294_967_296,
    Number.MAX_SAFE_INTEGER,
    -1,
    -32,
    -33,
    -128,
    -129,
    -32_768,
    -32_769,
    -2_147_483_648,
    -2_147_483_649,
    Number.MIN_SAFE_INTEGER,
    1.5,
    -0.1,
    1e300,
    "",
    "a",
    "é€😀",
    "x".repeat(31),
    "x".repeat(32),
    "x".repeat(256),
    long,
    [],
    [1, [2, [3]]],
    new Array(16).fill(0),
    new Array(70_000).fill(1),
    { a: 1, b: { c: null } },
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i])),
  ];

  test("documents survive reading and writing", () => {
    for (const document of documents) {
      const { output } = probe("msgpack", Uint8Array.from(pack(document)));
      expect(unpackr.unpack(output)).toEqual(document);
    }
  });

  test("shortest forms", () => {
    for (const [input, output] of [
      ["d90161", "a161"],
      ["cf0000000000000005", "05"],
      ["d3ffffffffffffffff", "ff"],
      ["cb3ff0000000000000", "01"],
      ["ca3fc00000", "cb3ff8000000000000"],
      ["dd0000000101", "9101"],
      ["df00000001a16101", "81a16101"],
      ["c600000001ff", "c401ff"],
    ] as const) {
      expect(Buffer.from(probe("msgpack", hex(input)).output).toString("hex")).toBe(output);
    }
  });

  test("malformed documents are refused", () => {
    for (const input of [
      "",
      "a2ff",
      "c1",
      "d40101",
      "c70101ff",
      "a1ff",
      "a2c080",
      "92 01",
      "8101 02",
      "82a16101a16102",
      "0101",
      "cb3ff0",
      "cd01",
      "dd7fffffff",
      "c6ffffffff00",
      "91".repeat(34) + "01",
    ]) {
      expect({ input, ...probe("msgpack", hex(input.replaceAll(" ", ""))) }).toMatchObject({
        input,
        code: 1,
        error: "malformed",
      });
    }
  });
});

describe("bytes and text", () => {
  test("base64 both ways", () => {
    for (let length = 0; length < 70; length++) {
      const data = Uint8Array.from({ length }, (_, i) => (i * 37 + length * 101) & 255);
      const text = Buffer.from(data).toString("base64");
      expect(probe("toBase64", data).text).toBe(text);
      expect(probe("fromBase64", text).output).toEqual(data);
    }
  });

  test("base64 that is not canonical", () => {
    for (const text of [
      "A",
      "AA",
      "AAA",
      "A===",
      "====",
      "AB==",
      "AAB=",
      "AA=A",
      "AAAA=AAA",
      "AA==AAAA",
      "AA-_",
      "AAA\n",
      "AAAÄ",
    ]) {
      expect({ input: text, ...probe("fromBase64", text) }).toMatchObject({ input: text, code: 1, error: "malformed" });
    }
  });

  test("UTF-8 is judged as TextDecoder judges it", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const cases = [
      "",
      "c3a9",
      "e282ac",
      "f09f9880",
      "61626364656667c3a9",
      "80",
      "c080",
      "c1bf",
      "e08080",
      "e09fbf",
      "e0a080",
      "ed9fbf",
      "eda080",
      "edbfbf",
      "f0808080",
      "f08fbfbf",
      "f0908080",
      "f48fbfbf",
      "f4908080",
      "f5808080",
      "ff",
      "c3",
      "e282",
      "f09f98",
      "c328",
      "e28228",
      "6162636465666780",
    ];
    for (const text of cases) {
      let expected = "yes";
      try {
        decoder.decode(hex(text));
      } catch {
        expected = "no";
      }
      expect([text, probe("utf8", hex(text)).text]).toEqual([text, expected]);
    }
  });

  test("text of any length and script", () => {
    for (const text of ["", "a", "1234567", "12345678", "123456789", "größer €", "日本語 😀".repeat(999)]) {
      expect(probe("text", text).text).toBe(text);
    }
  });
});

describe("capabilities", () => {
  const host = (overrides = {}): MockHost => {
    const made = new MockHost(overrides);
    made.files.set("data/ä.txt", new TextEncoder().encode("0123456789"));
    return made;
  };

  test("requests and answers", () => {
    const used = host();
    const outcome = probe("capabilities", '{"path":"data/ä.txt"}', used);
    expect(outcome.text).toBe('[1790000000123,"9-9-9","file",10,"234",10,true,null]');
    expect(used.calls).toEqual([
      { name: "clock_now", request: {} },
      { name: "random_bytes", request: { length: 3 } },
      { name: "log", request: { level: "warn", message: "häufig" } },
      { name: "fs_stat", request: { path: "data/ä.txt" } },
      { name: "fs_read", request: { length: 3, offset: 2, path: "data/ä.txt" } },
    ]);
    // Only the output is left: requests and answers are given back.
    expect(used.liveBlocks).toBe(1);
  });

  test("an error answer reaches the caller with code and message", () => {
    const refused = host({
      clock_now: () => {
        throw new Refusal("EXO_CAPABILITY_DENIED", "clock_now is not granted.");
      },
    });
    expect(probe("capabilities", '{"path":"x"}', refused)).toMatchObject({
      code: 1,
      error: "EXO_CAPABILITY_DENIED: clock_now is not granted.",
    });
  });

  test("an answer of another form is an error, never a value", () => {
    const malformed = "EXO_MSGPACK: the host's answer does not have the form of its capability";
    const answers = [
      {},
      { ok: null },
      { ok: 1 },
      { ok: {} },
      { ok: { ms: "1" } },
      { ok: { ms: 1.5 } },
      { ok: { ms: -1 } },
      { ok: { ms: 2 ** 60 } },
      { error: null },
      { error: { code: "X" } },
      { error: { code: 1, message: "x" } },
      { error: { code: "", message: "x" } },
      [],
      "ok",
    ].map((answer) => Uint8Array.from(pack(answer)));
    for (const answer of [...answers, bytes(), bytes(0xc1), bytes(0x81, 0xa2, 0x6f)]) {
      const broken = host();
      broken.rawAnswer = answer;
      expect(probe("capabilities", '{"path":"x"}', broken)).toMatchObject({ code: 1, error: malformed });
    }
  });

  test("a broken invariant sets a short text and traps", () => {
    expect(probe("outOfRange", "abc")).toMatchObject({
      code: -1,
      error: "Index out of range (~lib/typedarray.ts:167)",
    });
  });
});
