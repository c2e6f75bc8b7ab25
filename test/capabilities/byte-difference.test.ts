import { describe, expect, it } from "vitest";
import { firstDifference } from "../../src/capabilities/byte-difference.js";
import { encodeHex, encodeUtf8 } from "../../src/crypto/encoding.js";

const hex = (text: string): string => encodeHex(encodeUtf8(text));

describe("the first difference of two byte strings", () => {
  it.each([
    ["equal ones", "abc", "abc", null],
    ["two empty ones", "", "", null],
    ["the first byte", "abc", "xbc", { offset: 0, bytes: { from: 0, expected: hex("abc"), actual: hex("xbc") } }],
    ["the last byte", "abc", "abx", { offset: 2, bytes: { from: 0, expected: hex("abc"), actual: hex("abx") } }],
    ["a shorter one", "abc", "ab", { offset: 2, bytes: { from: 0, expected: hex("abc"), actual: hex("ab") } }],
    ["a longer one", "ab", "abc", { offset: 2, bytes: { from: 0, expected: hex("ab"), actual: hex("abc") } }],
    ["an absent one", "", "abc", { offset: 0, bytes: { from: 0, expected: "", actual: hex("abc") } }],
  ])("of %s", (_what, expected, actual, found) => {
    expect(firstDifference(encodeUtf8(expected), encodeUtf8(actual))).toEqual(found);
  });

  it("shows 16 bytes before it and 32 from it on", () => {
    const expected = Uint8Array.from({ length: 200 }, (_, at) => at);
    const actual = expected.slice();
    actual[100] = 0;
    const bytes = { from: 84, expected: encodeHex(expected.slice(84, 132)), actual: encodeHex(actual.slice(84, 132)) };
    expect(firstDifference(expected, actual)).toEqual({ offset: 100, bytes });
  });
});
