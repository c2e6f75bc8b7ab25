import { describe, expect, test } from "vitest";
import { type Ran, runSandboxed, sealedAt } from "./sandboxed.js";

// plugins/text-diff, written in Rust, against a plain dynamic programme and a reader of its own output.

const module = sealedAt("plugins/text-diff.wasm");
type Diff = { added: number; equal: boolean; hunks: number; minimal: boolean; removed: number; unified: string };

const run = (parameters: object): Promise<Ran> => runSandboxed(module, "diff", JSON.stringify(parameters));

async function diff(before: string, after: string, more: object = {}): Promise<Diff> {
  const { output, outcome, calls } = await run({ before, after, ...more });
  expect([outcome.error, calls]).toEqual([undefined, []]);
  return JSON.parse(output) as Diff;
}

const lines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** Applies a unified diff, checking every line and every count of it. */
function apply(before: string, unified: string): string {
  const old = lines(before);
  const made: string[] = [];
  const rows = lines(unified);
  let at = 0;
  for (let row = 2; row < rows.length; ) {
    const head = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n$/.exec(rows[row++] as string);
    if (head === null) throw new Error(`no hunk: ${rows[row - 1]}`);
    const [start, count = 1, start2, count2 = 1] = head.slice(1).map((x) => (x === undefined ? undefined : Number(x)));
    const from = count === 0 ? (start as number) : (start as number) - 1;
    made.push(...old.slice(at, from));
    at = from;
    expect(made.length).toBe(count2 === 0 ? start2 : (start2 as number) - 1);
    for (let left = count, left2 = count2; left > 0 || left2 > 0; row++) {
      const mark = rows[row]?.[0];
      const bare = rows[row + 1]?.startsWith("\\ No newline") === true;
      const line = (rows[row] as string).slice(1, bare ? -1 : undefined);
      if (bare) rows.splice(row + 1, 1);
      if (mark !== "+") expect(old[at++]).toBe(line);
      if (mark !== "-") made.push(line);
      left -= mark === "+" ? 0 : 1;
      left2 -= mark === "-" ? 0 : 1;
    }
  }
  return [...made, ...old.slice(at)].join("");
}

/** Edits of a shortest script, by the length of the longest common subsequence. */
function fewest(before: string[], after: string[]): number {
  let row = new Array<number>(after.length + 1).fill(0);
  for (const line of before) {
    const next = [0];
    for (let y = 0; y < after.length; y++) {
      next.push(line === after[y] ? (row[y] as number) + 1 : Math.max(row[y + 1] as number, next[y] as number));
    }
    row = next;
  }
  return before.length + after.length - 2 * (row.at(-1) as number);
}

test("a diff, to the byte", async () => {
  const before = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten";
  const after = "one\ntwo\n3\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\n";
  expect((await run({ before, after, beforeName: "a/größe", context: 1 })).output).toBe(
    JSON.stringify({
      added: 3,
      equal: false,
      hunks: 2,
      minimal: true,
      removed: 2,
      unified:
        "--- a/größe\n+++ after\n@@ -2,3 +2,3 @@\n two\n-three\n+3\n four\n" +
        "@@ -9,2 +9,3 @@\n nine\n-ten\n\\ No newline at end of file\n+ten\n+eleven\n",
    }),
  );
});

describe("texts at the edges", () => {
  test.each([
    ["", "", ""],
    ["a\n", "a\n", ""],
    ["", "a\n", "--- before\n+++ after\n@@ -0,0 +1 @@\n+a\n"],
    ["a\nb", "", "--- before\n+++ after\n@@ -1,2 +0,0 @@\n-a\n-b\n\\ No newline at end of file\n"],
    ["a", "a\n", "--- before\n+++ after\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"],
    ["\n", "\n\n", "--- before\n+++ after\n@@ -1 +1,2 @@\n \n+\n"],
    ["a\r\n", "a\n", "--- before\n+++ after\n@@ -1 +1 @@\n-a\r\n+a\n"],
  ])("%j to %j", async (before, after, unified) => {
    expect(await diff(before, after)).toMatchObject({ unified, equal: before === after, minimal: true });
  });
});

test("of random texts the diff applies and no shorter one exists", async () => {
  let state = 11;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
  for (let round = 0; round < 150; round++) {
    const words = Array.from({ length: 1 + random(8) }, (_, i) => `${"xyz"[i % 3]}${i}`);
    const make = (length: number): string[] => Array.from({ length }, () => `${words[random(words.length)]}\n`);
    const before = make(random(40));
    // Half of the time a text of its own, else the same with some lines changed.
    const after =
      round % 2 === 0 ? make(random(40)) : before.flatMap((line) => (random(5) > 0 ? [line] : make(random(3))));
    const [a, b] = [before.join(""), after.join("").slice(0, round % 7 === 0 ? -1 : undefined)];
    const context = random(5);
    const made = await diff(a, b, { context });
    expect(apply(a, made.unified)).toBe(b);
    expect([a, b, made.added + made.removed, made.minimal]).toEqual([a, b, fewest(lines(a), lines(b)), true]);
    expect(made.hunks).toBe(made.unified.match(/^@@ /gm)?.length ?? 0);
  }
});

test("a large text with few changes costs little, one that is all changed is bounded and says so", async () => {
  const numbered = (count: number, name: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => `${name(i)}\n`).join("");
  const before = numbered(20_000, (i) => `line ${i}`);
  const after = before.replace("line 7000\n", "").replace("line 15000\n", "line 15000\nmore\n");
  const small = await diff(before, after);
  expect(small).toMatchObject({ added: 1, removed: 1, hunks: 2, minimal: true });
  expect(apply(before, small.unified)).toBe(after);
  // No line is new, but every second pair of lines has changed places: far more edits than are searched for.
  const shuffled = numbered(4000, (i) => `line ${(i * 1237) % 4000}`);
  const ordered = numbered(4000, (i) => `line ${i}`);
  const large = await run({ before: ordered, after: shuffled });
  expect(large.outcome.error).toBeUndefined();
  const made = JSON.parse(large.output) as Diff;
  expect(made.minimal).toBe(false);
  expect(apply(ordered, made.unified)).toBe(shuffled);
  expect(large.outcome.fuelUsed).toBeLessThan(300_000_000);
});

test("parameters", async () => {
  for (const [parameters, problem] of [
    [{}, 'parameter "before" is missing'],
    [{ before: "" }, 'parameter "after" is missing'],
    [{ before: 1, after: "" }, 'parameter "before" must be a string, not a number'],
    [{ before: "", after: "", context: -1 }, 'parameter "context" must be from 0 to 1000'],
    [{ before: "", after: "", context: 1001 }, 'parameter "context" must be from 0 to 1000'],
    [{ before: "", after: "", context: 1.5 }, 'parameter "context" must be a whole number, not a number'],
    [{ before: "", after: "", beforeName: "a\n+++ b" }, 'parameter "beforeName" must not hold control characters'],
    [{ before: "", after: "", afterName: "\u007f" }, 'parameter "afterName" must not hold control characters'],
    [{ before: "", after: "", colour: true }, 'parameter "colour" is not known'],
  ] as const) {
    const { outcome } = await run(parameters);
    expect([outcome.status, outcome.error?.message]).toEqual(["guest_error", problem]);
  }
});
