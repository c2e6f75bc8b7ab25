import { describe, expect, it } from "vitest";
import { commandWords } from "../../src/cli/command-words.js";

describe("the words of a command", () => {
  it.each<[string, string[]]>([
    ["a b  c", ["a", "b", "c"]],
    ["  a\t b\n", ["a", "b"]],
    ["'a b' \"c d\"", ["a b", "c d"]],
    ["a'b c'd", ["ab cd"]],
    ["''", [""]],
    [`"it's" 'say "hi"'`, ["it's", 'say "hi"']],
    ["$HOME *;&& \\", ["$HOME", "*;&&", "\\"]],
  ])("%j are %j", (text, words) => {
    expect(commandWords("signer", text)).toEqual(words);
  });

  it.each(["", "  ", "'a", 'a "b', "a'b"])("%j is refused", (text) => {
    expect(() => commandWords("signer", text)).toThrow(expect.objectContaining({ code: "EXO_USAGE" }));
  });
});
