import { describe, expect, it } from "vitest";
import { shorten, visible } from "../../src/web/visible.js";

describe("text that somebody else chose", () => {
  it.each([
    ["a right-to-left override", "a\u202Eb", "a\\u{202E}b"],
    ["an isolate", "\u2066x\u2069", "\\u{2066}x\\u{2069}"],
    ["a zero width space", "pay\u200Bpal", "pay\\u{200B}pal"],
    ["a soft hyphen", "a\u00ADb", "a\\u{00AD}b"],
    ["a byte order mark", "\uFEFFa", "\\u{FEFF}a"],
    ["a null and an escape", "a\u0000\u001B[2J", "a\\u{0000}\\u{001B}[2J"],
    ["a C1 control", "\u0085", "\\u{0085}"],
    ["a line separator", "a\u2028b", "a\\u{2028}b"],
    ["a no-break space", "a\u00A0b", "a\\u{00A0}b"],
    ["an ideographic space", "a\u3000b", "a\\u{3000}b"],
    ["a Hangul filler", "\u3164", "\\u{3164}"],
    ["a blank Braille cell", "\u2800", "\\u{2800}"],
    ["a variation selector", "a\uFE0F", "a\\u{FE0F}"],
    ["a tag beyond the basic plane", "\u{E0041}", "\\u{E0041}"],
    ["half a surrogate pair", "a\uD800b", "a\\u{D800}b"],
    ["a line feed where there are no lines", "a\nb\tc", "a\\u{000A}b\\u{0009}c"],
  ])("%s is escaped", (_, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it("what can be read stays, of any script, as do the lines of a text that has lines", () => {
    const text = "data/<b>orders</b> & 'x' \u05D0\u05D1 \u4E2D \u{1F600} e\u0301";
    expect(visible(text)).toBe(text);
    expect(visible("a\n\tb\r", true)).toBe("a\n\tb\\u{000D}");
  });

  it("a long text is cut between characters and says how long it is", () => {
    expect(shorten("x".repeat(10), 10)).toBe("x".repeat(10));
    expect(shorten("x".repeat(11), 10)).toBe(`${"x".repeat(10)}\u2026 (11 characters)`);
    expect(shorten("\u{1F600}".repeat(3), 2)).toBe("\u{1F600}\u{1F600}\u2026 (3 characters)");
    expect(shorten("\u202E".repeat(3), 1)).toBe("\\u{202E}\u2026 (3 characters)");
  });
});
