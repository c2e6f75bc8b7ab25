import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BudgetEntry, budgetUse, reserve, settle } from "../../src/safety/budget.js";

const budgets = { runs: { limit: 10, windowSeconds: 60 }, fuel: { limit: 1000, windowSeconds: 3600 } };
const asked = { runs: 1, fuel: 100 };
const now = 1_800_000_000_000;

function use(entries: readonly BudgetEntry[], at: number) {
  return Object.fromEntries(budgetUse(entries, budgets, asked, at).map((row) => [row.name, [row.used, row.reserved]]));
}

test("rows of a snapshot, one for every configured budget", () => {
  expect(budgetUse([], budgets, asked, now)).toEqual([
    { name: "fuel", limit: 1000, windowSeconds: 3600, used: 0, reserved: 0, asked: 100 },
    { name: "runs", limit: 10, windowSeconds: 60, used: 0, reserved: 0, asked: 1 },
  ]);
  expect(budgetUse([], { runs: budgets.runs }, asked, now).map((row) => row.name)).toEqual(["runs"]);
  expect(budgetUse([], {}, asked, now)).toEqual([]);
});

describe("one run", () => {
  const reserved = reserve([], { id: "a", ...asked }, budgets, now);
  const settled = settle(reserved, { id: "a", runs: 1, fuel: 7 }, budgets, now + 5000);

  test("is reserved with what it asks, then settled with what it used, at its start", () => {
    expect(reserved).toEqual([{ at: now, runs: 1, fuel: 100, state: "reserved", id: "a" }]);
    expect(settled).toEqual([{ at: now, runs: 1, fuel: 7, state: "settled", id: null }]);
    expect(use(reserved, now)).toEqual({ fuel: [0, 100], runs: [0, 1] });
    expect(use(settled, now)).toEqual({ fuel: [7, 0], runs: [1, 0] });
  });

  test("leaves each window when it is a whole window old, not a millisecond before", () => {
    for (const entries of [reserved, settled]) {
      const total = (at: number, name: string) => (use(entries, at)[name] ?? []).reduce((sum, one) => sum + one, 0);
      expect(total(now + 59_999, "runs")).toBe(1);
      expect(total(now + 60_000, "runs")).toBe(0);
      expect(total(now + 3_599_999, "fuel")).toBeGreaterThan(0);
      expect(total(now + 3_600_000, "fuel")).toBe(0);
    }
  });

  test("counts once however often it is reserved, and another's settlement leaves it", () => {
    expect(reserve(reserved, { id: "a", runs: 1, fuel: 999 }, budgets, now + 1)).toEqual(reserved);
    const other = settle(reserved, { id: "b", runs: 1, fuel: 7 }, budgets, now);
    expect(use(other, now)).toEqual({ fuel: [7, 100], runs: [1, 1] });
  });

  test("without a reservation is entered where it settles", () => {
    expect(settle([], { id: "a", runs: 1, fuel: 7 }, budgets, now)).toEqual([
      { at: now, runs: 1, fuel: 7, state: "settled", id: null },
    ]);
  });

  test("from the future counts: a clock set back frees nothing", () => {
    expect(use(settled, now - 86_400_000)).toEqual({ fuel: [7, 0], runs: [1, 0] });
  });
});

test("nothing is kept outside the longest window or without a budget", () => {
  const old = reserve([], { id: "a", ...asked }, budgets, now);
  expect(reserve(old, { id: "b", ...asked }, budgets, now + 3_600_000)).toEqual([
    { at: now + 3_600_000, runs: 1, fuel: 100, state: "reserved", id: "b" },
  ]);
  expect(reserve(old, { id: "b", ...asked }, {}, now)).toEqual([]);
});

test("sums stay in the range of a count", () => {
  const huge = { runs: 1, fuel: Number.MAX_SAFE_INTEGER };
  let entries = settle([], { id: "a", ...huge }, budgets, now);
  entries = settle(entries, { id: "b", ...huge }, budgets, now);
  entries = reserve(entries, { id: "c", ...huge }, budgets, now);
  expect(use(entries, now)["fuel"]).toEqual([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
});

test("the state stays small over many runs", () => {
  let entries: BudgetEntry[] = [];
  for (let i = 0; i < 20_000; i++) {
    const at = now + i * 500;
    entries = reserve(entries, { id: `r${i}`, ...asked }, budgets, at);
    entries = settle(entries, { id: `r${i}`, runs: 1, fuel: 3 }, budgets, at + 100);
  }
  expect(entries.length).toBeLessThan(130);
  const end = now + 19_999 * 500;
  // Two runs a second; merging may keep a run in a window for up to a sixtieth longer, never shorter.
  const { runs = [0], fuel = [0] } = use(entries, end);
  expect(runs[0]).toBeGreaterThanOrEqual(120);
  expect(runs[0]).toBeLessThanOrEqual(123);
  expect(fuel[0]).toBeGreaterThanOrEqual(7200 * 3);
  expect(fuel[0]).toBeLessThanOrEqual(7322 * 3);
});

test("never counts less than a ledger that merges nothing", () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 90_000 }), fuel: fc.nat(50), settles: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let entries: BudgetEntry[] = [];
      const naive: { at: number; fuel: number }[] = [];
      let at = now;
      for (const [index, { wait, fuel, settles }] of steps.entries()) {
        at += wait;
        const run = { id: `r${index}`, runs: 1, fuel };
        entries = reserve(entries, run, budgets, at);
        if (settles) entries = settle(entries, run, budgets, at);
        naive.push({ at, fuel });
        const row = use(entries, at);
        const total = (name: string) => (row[name] ?? []).reduce((sum, one) => sum + one, 0);
        const since = (ms: number) => naive.filter((one) => one.at > at - ms);
        expect(total("runs")).toBeGreaterThanOrEqual(since(60_000).length);
        expect(total("runs")).toBeLessThanOrEqual(since(61_000).length);
        expect(total("fuel")).toBeGreaterThanOrEqual(since(3_600_000).reduce((sum, one) => sum + one.fuel, 0));
        expect(total("fuel")).toBeLessThanOrEqual(since(3_660_000).reduce((sum, one) => sum + one.fuel, 0));
      }
    }),
    { numRuns: 300 },
  );
});
