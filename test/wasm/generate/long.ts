import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { admittedNames } from "./instructions.js";
import { playMutants } from "./mutants.js";
import { describeRounds, playRounds } from "./rounds.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** EXOARMUR_SEED, or the commit: every commit has its own modules. */
function seedOfRun(): string {
  const asked = process.env["EXOARMUR_SEED"];
  if (asked !== undefined && asked !== "") {
    return asked;
  }
  return execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
}

/** EXOARMUR_FROM: the number of the first module, to go on where a run ended. */
function firstOfRun(): number {
  const from = Number(process.env["EXOARMUR_FROM"] ?? 0);
  if (!Number.isSafeInteger(from) || from < 0) {
    throw new RangeError("EXOARMUR_FROM must be the number of a module");
  }
  return from;
}

/** Generated modules in number, or as many as fit into the budget; a run of all of them executes every instruction. */
export function playLongRounds(count: number, budgetMs: number): void {
  const plan = { seed: seedOfRun(), from: firstOfRun(), count, budgetMs };
  const rounds = playRounds(plan);
  console.log(`generated: ${rounds.ran} of ${count}; ${describeRounds(plan, rounds)}`);
  expect(rounds.ran).toBeGreaterThan(0);
  if (rounds.ran === count) {
    expect(admittedNames.filter((name) => !rounds.executed.has(name))).toEqual([]);
  }
}

/** Damaged modules in number, or as many as fit into the budget. */
export function playLongMutants(count: number, budgetMs: number): void {
  const seed = seedOfRun();
  const from = firstOfRun();
  const counts = playMutants(seed, from, count, budgetMs);
  console.log(`mutants: seed ${seed}, from ${from}, ${JSON.stringify(counts)} of ${count}`);
  expect(counts.ran).toBeGreaterThan(0);
  expect(counts.admitted).toBeGreaterThan(counts.ran / 100);
}
