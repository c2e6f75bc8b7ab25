import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCanonical, readJson } from "../../src/canonical/read.js";
import { codeOf, errorOf, utf8 } from "./helpers.js";

describe("readJson", () => {
  test("reads what JSON.parse reads, or refuses", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary" }), fc.constantFrom("", " ", "\n\t"), (text, space) => {
        const bytes = utf8(`${space}${text}${space}`);
        try {
          expect(readJson(bytes)).toEqual(JSON.parse(text));
        } catch (error) {
          expect((error as { code: string }).code).toMatch(/^EXO_JSON_(NUMBER|FORBIDDEN_KEY|SURROGATE)$/);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("accepts no text that JSON.parse refuses", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:01.eE+-\\untrfals \n'), maxLength: 12 }), (text) => {
        let value: unknown;
        try {
          value = readJson(utf8(text));
        } catch (error) {
          expect((error as { code: string }).code).toMatch(/^EXO_JSON_/);
          return;
        }
        expect(value).toEqual(JSON.parse(text));
      }),
      { numRuns: 1500 },
    );
  });

  test.each<[string, string, number, number]>([
    ["EXO_JSON_SYNTAX", '{\n  "ä": 1,\n  b: 2\n}', 15, 3],
    ["EXO_JSON_SYNTAX", "", 0, 1],
    ["EXO_JSON_SYNTAX", "[1,\n", 4, 2],
    ["EXO_JSON_SYNTAX", '"😀\n"', 5, 1],
    ["EXO_JSON_DUPLICATE_KEY", '{"a":1,\n"a":2}', 8, 2],
    ["EXO_JSON_FORBIDDEN_KEY", '{"a":{"__proto__":1}}', 6, 1],
    ["EXO_JSON_NUMBER", '["é",-0]', 6, 1],
    ["EXO_JSON_SURROGATE", '[\n"ok","\\ud800"]', 7, 2],
    ["EXO_JSON_DEPTH", `${"[".repeat(129)}`, 128, 1],
  ])("%s in %j is at byte %d, line %d", (code, text, offset, line) => {
    expect(errorOf(() => readJson(utf8(text)))).toMatchObject({ code, place: { offset, line } });
  });

  test.each<[string, number, number]>([
    ["22610a80", 3, 2],
    ["ff", 0, 1],
    ["22c3a9c322", 4, 1],
    ["22e282", 3, 1],
  ])("malformed UTF-8 %s is at byte %d, line %d", (hex, offset, line) => {
    expect(errorOf(() => readJson(Uint8Array.from(Buffer.from(hex, "hex"))))).toMatchObject({
      code: "EXO_JSON_UTF8",
      place: { offset, line },
    });
  });

  test("maxBytes and maxDepth", () => {
    expect(readJson(utf8("[[1]]"), { maxBytes: 5, maxDepth: 2 })).toEqual([[1]]);
    expect(codeOf(() => readJson(utf8("[[1]]"), { maxBytes: 4 }))).toBe("EXO_JSON_SIZE");
    expect(codeOf(() => readJson(utf8("[[1]]"), { maxDepth: 1 }))).toBe("EXO_JSON_DEPTH");
    expect(codeOf(() => readJson(utf8("[]"), { maxDepth: 0 }))).toBe("EXO_JSON_DEPTH");
    expect(codeOf(() => readJson(utf8("[".repeat(129)), { maxDepth: 10_000 }))).toBe("EXO_JSON_DEPTH");
  });

  test("a hundred thousand open brackets end at once", () => {
    expect(codeOf(() => readJson(utf8("[".repeat(100_000))))).toBe("EXO_JSON_DEPTH");
    expect(codeOf(() => parseCanonical(utf8("[".repeat(100_000))))).toBe("EXO_JSON_DEPTH");
  });

  test("keys named like members of Object.prototype are data", () => {
    const value = readJson(utf8('{"constructor":1,"hasOwnProperty":2,"toString":3}'));
    expect(Object.entries(value as object)).toEqual([
      ["constructor", 1],
      ["hasOwnProperty", 2],
      ["toString", 3],
    ]);
  });

  test("the message names the character found, never the input", () => {
    expect(errorOf(() => readJson(utf8("[1 2]"))).message).toBe(
      "Expected a comma or ], found U+0032 (line 1, byte 3).",
    );
    expect(errorOf(() => readJson(utf8("[1"))).message).toBe("Expected a comma or ], found the end (line 1, byte 2).");
  });
});

describe("parseCanonical", () => {
  test.each<[string, number]>([
    ['{"b":1,"a":2}', 2],
    ['{"a":1,"a":2}', 5],
    ['["é",1.0]', 7],
    ["1\n", 1],
  ])("%j differs from its canonical form at byte %d", (text, offset) => {
    expect(errorOf(() => parseCanonical(utf8(text)))).toMatchObject({
      code: "EXO_JSON_NOT_CANONICAL",
      place: { offset },
    });
  });

  test("the size limit comes first", () => {
    expect(codeOf(() => parseCanonical(utf8("[1,2"), { maxBytes: 3 }))).toBe("EXO_JSON_SIZE");
  });

  // Long texts are looked through before the engine's parser sees them: it takes gigabytes for the nesting of some.
  const long = "x".repeat(70_000);
  test.each([
    ["too deep", `["${long}",${"[".repeat(128)}${"]".repeat(128)}]`, "EXO_JSON_DEPTH"],
    ["too deep with members", `["${long}",${'{"a":'.repeat(128)}1${"}".repeat(128)}]`, "EXO_JSON_DEPTH"],
    ["too deep after an escaped quote", `["${long}\\"[",${"[".repeat(128)}${"]".repeat(128)}]`, "EXO_JSON_DEPTH"],
    ["as deep as may be", `["${long}",${"[".repeat(127)}${"]".repeat(127)}]`, "none"],
    ["brackets in strings", `["${long}","${"[".repeat(200)}"]`, "none"],
    ["brackets after an escaped quote", `["${long}\\"${"[".repeat(200)}"]`, "none"],
    ["a backslash at a string's end", `["${long}\\\\","${"[".repeat(200)}"]`, "none"],
    ["one after another", `["${long}"${",[]".repeat(200)}]`, "none"],
    ["an open string", `["${long}`, "EXO_JSON_SYNTAX"],
  ])("a long text: %s", (_, text, code) => {
    const end = (): string => {
      parseCanonical(utf8(text));
      return "none";
    };
    expect(code === "none" ? end() : codeOf(end)).toBe(code);
  });

  test("a syntax error says where", () => {
    expect(errorOf(() => parseCanonical(utf8('{"a":\n}')))).toMatchObject({
      code: "EXO_JSON_SYNTAX",
      place: { offset: 6, line: 2 },
    });
  });
});
