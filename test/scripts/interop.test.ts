import { describe, expect, test } from "vitest";
import { type Checker, format, judge, summary } from "../../scripts/interop/table.mjs";

const cases = {
  sum: {
    accept: [
      { what: "the sum of 1 and 2", input: [1, 2, 3] },
      { what: "the sum of 0 and 0", input: [0, 0, 0] },
    ],
    refuse: [{ what: "another sum", input: [1, 2, 4] }],
  },
  order: { accept: [{ what: "a rising pair", input: [1, 2] }], refuse: [{ what: "a falling pair", input: [2, 1] }] },
  empty: { accept: [{ what: "anything", input: [] }], refuse: [] },
};

const verdict = (accepted: boolean) => ({ accepted, says: accepted ? "fine" : "wrong" });
const judgeSum = ([a, b, c]: number[]) => verdict((a ?? 0) + (b ?? 0) === c);

/** A checker that judges sums, but for what a test changes. */
function checker(changes: Partial<Checker> = {}): Checker {
  return {
    name: "abacus",
    needs: "beads",
    checks: ["sum"],
    lacking: () => [],
    start: () => (inputs) => (inputs as number[][]).map(judgeSum),
    ...changes,
  };
}

async function outcome(changes: Partial<Checker>): Promise<{ state: string; detail: string } | undefined> {
  const [row] = await judge([checker(changes)], cases);
  return row && { state: row.state, detail: row.detail };
}

describe("the table of foreign checkers", () => {
  test("a checker that accepts what is right and refuses what is altered passes", async () => {
    const rows = await judge([checker()], cases);
    const facts = { checker: "abacus", needs: "beads", check: "sum" };
    expect(rows).toEqual([{ ...facts, state: "pass", detail: "2 accepted, 1 altered refused" }]);
    expect(summary(rows, true)).toEqual({ exitCode: 0, lines: ["1 passed, 0 failed"] });
  });

  test("one that accepts everything fails, and the row names what it accepted", async () => {
    const lax = await outcome({ start: () => (inputs) => inputs.map(() => verdict(true)) });
    expect(lax).toEqual({ state: "fail", detail: "accepted another sum: fine" });
  });

  test("one that refuses everything fails, and the row names what it refused", async () => {
    const strict = await outcome({ start: () => (inputs) => inputs.map(() => verdict(false)) });
    expect(strict).toEqual({ state: "fail", detail: "refused the sum of 1 and 2: wrong" });
  });

  test("one that refuses only the last of what is right fails", async () => {
    const picky = await outcome({ start: () => (inputs) => inputs.map((_, at) => verdict(at === 0)) });
    expect(picky).toEqual({ state: "fail", detail: "refused the sum of 0 and 0: wrong" });
  });

  test("one that breaks is no refusal: it fails", async () => {
    const crash = (message: string) => () => {
      throw new Error(message);
    };
    expect(await outcome({ start: crash("no compiler") })).toEqual({ state: "fail", detail: "broke: no compiler" });
    expect(await outcome({ start: () => crash("segfault") })).toEqual({ state: "fail", detail: "broke: segfault" });
    const rejected = await outcome({ start: () => () => Promise.reject(new Error("late")) });
    expect(rejected).toEqual({ state: "fail", detail: "broke: late" });
  });

  test("what a checker says is one line of at most 300 characters", async () => {
    const wordy = { accepted: false, says: `Traceback:\n  at\tone\n${"x".repeat(1000)}` };
    const row = await outcome({ start: () => (inputs) => inputs.map(() => wordy) });
    const start = "refused the sum of 1 and 2: Traceback: at one xxx";
    expect(row?.detail.slice(0, start.length)).toBe(start);
    expect(row?.detail.length).toBe(300);
  });

  test.each([
    ["fewer", 2],
    ["more", 4],
  ])("one that gives %s verdicts than it was asked for fails", async (_, count) => {
    const cut = await outcome({ start: () => () => [true, true, false, false].slice(0, count).map(verdict) });
    expect(cut).toEqual({ state: "fail", detail: `broke: ${count} verdicts for 3 inputs` });
  });

  test("a check with nothing to refuse shows nothing: it fails, whatever the checker says", async () => {
    const detail = "nothing to accept or to refuse";
    expect(await outcome({ checks: ["empty"] })).toEqual({ state: "fail", detail });
  });

  test("a check nobody has inputs for is a mistake of the table, not a row", async () => {
    await expect(judge([checker({ checks: ["product"] })], cases)).rejects.toThrow("no inputs for product");
  });

  test("a checker that is not there is missing in each of its checks, says what to install, and is not started", async () => {
    let started = 0;
    const absent = checker({
      checks: ["sum", "order"],
      lacking: () => ["abacus", "abacus-beads"],
      start: () => {
        started++;
        return () => [];
      },
    });
    const rows = await judge([absent, checker()], cases);
    expect(rows.map(({ check, state, detail }) => [check, state, detail])).toEqual([
      ["sum", "missing", "install abacus abacus-beads"],
      ["order", "missing", "install abacus abacus-beads"],
      ["sum", "pass", "2 accepted, 1 altered refused"],
    ]);
    expect(started).toBe(0);
    const said = "2 not checked here: install abacus abacus-beads";
    expect(summary(rows, false)).toEqual({ exitCode: 0, lines: [said, "1 passed, 0 failed"] });
    expect(summary(rows, true)).toEqual({ exitCode: 1, lines: [said, "1 passed, 2 failed"] });
  });

  test("a checker is started once for all its checks, and one failed row fails the whole", async () => {
    let started = 0;
    const both = checker({
      checks: ["sum", "order"],
      start: () => {
        started++;
        return (inputs) => (inputs as number[][]).map(judgeSum);
      },
    });
    const rows = await judge([both], cases);
    expect(rows.map(({ state }) => state)).toEqual(["pass", "fail"]);
    expect(started).toBe(1);
    expect(summary(rows, false)).toEqual({ exitCode: 1, lines: ["1 passed, 1 failed"] });
  });

  test("a table without rows has failed", () => {
    expect(summary([], false)).toEqual({ exitCode: 1, lines: ["0 passed, 1 failed"] });
  });

  test("rows are aligned, one line each", async () => {
    const rows = await judge([checker(), checker({ name: "slate", lacking: () => ["chalk"] })], cases);
    expect(format(rows)).toEqual([
      "pass      abacus   sum   beads   2 accepted, 1 altered refused",
      "missing   slate    sum   beads   install chalk",
    ]);
  });
});
