import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../cli.js";
import { type CrashCounts, playCrashRounds } from "./crash-rounds.js";

/** How far a soak came: rounds below `next` were played with this seed and passed, and came to `counts`. */
export type SoakState = { readonly seed: number; readonly next: number; readonly counts: CrashCounts };

/** Where `npm run test:soak` keeps how far it came. */
export const SOAK_STATE = join(ROOT, "test/artifacts/crash-soak.json");

const none: CrashCounts = { rounds: 0, opening: 0, told: 0, inDoubt: 0, spent: 0, shipped: 0, shippedInDoubt: 0 };

/** The seed EXOARMUR_SEED names, or another one every time. */
export function crashSeed(): number {
  return Number(process.env["EXOARMUR_SEED"] ?? Date.now() % 2 ** 31);
}

/** Reads the state of a soak that stopped before `rounds`; a finished one, or one of another EXOARMUR_SEED, begins anew. */
export function readSoak(file: string, rounds: number): SoakState {
  if (existsSync(file)) {
    const state = JSON.parse(readFileSync(file, "utf8")) as SoakState;
    const wanted = process.env["EXOARMUR_SEED"];
    if (state.next < rounds && (wanted === undefined || Number(wanted) === state.seed)) return state;
  }
  return { seed: crashSeed(), next: 0, counts: none };
}

/**
 * Plays the rounds that are left of `rounds`, keeps after each how far it came, and says so every tenth. Stops without a
 * failure when the time is over; the next call goes on there. A round that fails is played again by the next call.
 */
export async function playSoak(file: string, rounds: number, budgetMs: number): Promise<SoakState> {
  let state = readSoak(file, rounds);
  const { seed, next: from, counts: before } = state;
  console.log(
    `crash rounds: seed ${seed}, from round ${from} of ${rounds}; EXOARMUR_SEED=${seed} kills at the same points`,
  );
  const note = (round: number, counts: CrashCounts): void => {
    state = { seed, next: round + 1, counts: sum(before, counts) };
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, JSON.stringify(state));
    renameSync(`${file}.new`, file);
    if ((round + 1) % 10 === 0) console.log(`crash rounds: ${JSON.stringify(state)}`);
  };
  await playCrashRounds({ seed, from, to: rounds, until: Date.now() + budgetMs, note });
  console.log(`crash rounds: ${state.next} of ${rounds} played: ${JSON.stringify(state)}`);
  return state;
}

function sum(a: CrashCounts, b: CrashCounts): CrashCounts {
  const total = { ...a };
  for (const name of Object.keys(total) as (keyof CrashCounts)[]) total[name] += b[name];
  return total;
}
