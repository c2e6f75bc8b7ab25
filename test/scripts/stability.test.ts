import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { differenceOf, differenceOfCases, firstDifference, readTree } from "../../scripts/stability/compare.mjs";
import { binariesOf, unknownFlags } from "../../scripts/stability/worlds.mjs";

const folder = mkdtempSync(join(tmpdir(), "stability-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const tree = (files: Record<string, string>): Map<string, Uint8Array> =>
  new Map(Object.entries(files).map(([path, text]) => [path, bytes(text)]));

describe("the comparer of the stability gate", () => {
  test("finds nothing between equal trees", () => {
    const files = { "denied/0000-proof.json": "{}", "nan/0000-result.json": "[1]" };
    expect(differenceOf(tree(files), tree(files))).toBeUndefined();
  });

  test("notices one flipped bit at every place of a file", () => {
    const whole = tree({ "a/1": "first", "b/1": "0123456789" });
    for (let at = 0; at < 10; at++) {
      const flipped = tree({ "a/1": "first", "b/1": "0123456789" });
      const file = flipped.get("b/1");
      if (file === undefined) throw new Error("no file");
      file[at] = (file[at] ?? 0) ^ 1;
      expect(differenceOf(whole, flipped)).toMatch(new RegExp(`^b/1 differs at byte ${at}: `));
    }
  });

  test.each([
    ["one byte more", "abc", "abcd", 3],
    ["one byte less", "abc", "ab", 2],
    ["nothing at all", "abc", "", 0],
    ["an earlier difference first", "abc", "xbz", 0],
    ["no difference", "abc", "abc", -1],
    ["two empty files", "", "", -1],
  ])("finds %s", (_what, a, b, offset) => {
    expect(firstDifference(bytes(a), bytes(b))).toBe(offset);
  });

  test("a file only one process emitted is a difference, whichever it was", () => {
    const [one, other] = [tree({ "a/1": "x" }), tree({ "a/1": "x", "a/2": "" })];
    expect(differenceOf(one, other)).toBe("a/2 was emitted by one process only");
    expect(differenceOf(other, one)).toBe("a/2 was emitted by one process only");
  });

  test("the first difference in order of the paths is named", () => {
    expect(differenceOf(tree({ "b/1": "x", "a/1": "x" }), tree({ "b/1": "y", "a/1": "y" }))).toMatch(
      /^a\/1 differs at byte 0/,
    );
  });

  test("a prefix keeps to its own scenario", () => {
    const [one, other] = [tree({ "clock/1": "x", "clock-two/1": "x" }), tree({ "clock/1": "x", "clock-two/1": "y" })];
    expect(differenceOf(one, other, "clock/")).toBeUndefined();
    expect(differenceOf(one, other, "clock-two/")).toMatch(/^clock-two\/1/);
  });

  test("reads every file below a folder, empty ones too", () => {
    mkdirSync(join(folder, "nan"));
    writeFileSync(join(folder, "nan", "0001-events.json"), "");
    writeFileSync(join(folder, "nan", "0000-result.json"), "{}");
    expect([...readTree(folder)].map(([path, content]) => [path, content.length])).toEqual([
      ["nan/0000-result.json", 2],
      ["nan/0001-events.json", 0],
    ]);
  });
});

describe("the comparer of corpus runs", () => {
  const one = { "a run": { status: "completed", fuelUsed: 10, transcript: [{ seq: 0 }] }, b: { status: "trapped" } };

  test("finds nothing between equal results", () => {
    expect(differenceOfCases(one, structuredClone(one))).toBeUndefined();
  });

  test.each([
    ["a number", { ...one, "a run": { ...one["a run"], fuelUsed: 11 } }, "a run: fuelUsed 10 | 11"],
    [
      "something inside",
      { ...one, "a run": { ...one["a run"], transcript: [] } },
      'a run: transcript [{"seq":0}] | []',
    ],
    ["a field that is missing", { ...one, b: {} }, 'b: status "trapped" | nothing'],
    ["a field too many", { ...one, b: { status: "trapped", code: null } }, "b: code nothing | null"],
    ["a case that is missing", { b: one.b }, "a run was run by one process only"],
    ["a case too many", { ...one, c: {} }, "c was run by one process only"],
  ])("names the case and the field of %s", (_what, other, difference) => {
    expect(differenceOfCases(one, other)).toBe(difference);
  });
});

describe("the ways to run", () => {
  const known = new Set(["liftoff", "stack-size", "wasm-tiering-budget"]);

  test.each([
    [["--no-liftoff", "--stack-size=500", "--wasm-tiering-budget=1"], []],
    [["--liftoff", "--no-such"], ["--no-such"]],
    [["--liftoff-only"], ["--liftoff-only"]],
  ])("%j leaves %j unknown", (flags, unknown) => {
    expect(unknownFlags({ name: "", flags }, known)).toEqual(unknown);
  });

  test("the running Node comes first, and a Node that is not there is no Node left out", () => {
    expect(binariesOf("").map(({ version }) => version)).toEqual([process.version]);
    expect(() => binariesOf(join(folder, "node"))).toThrow("which is not there");
  });
});
