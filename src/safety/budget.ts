import type { SafetyConfig, SafetySnapshot } from "../contracts/safety.js";

/**
 * One entry of a tenant's ledger of runs and fuel. Reserved entries carry the intent's id until they are settled;
 * settled ones are merged and carry null. `at` is milliseconds since the Unix epoch.
 */
export type BudgetEntry = {
  readonly at: number;
  readonly runs: number;
  readonly fuel: number;
  readonly state: "reserved" | "settled";
  readonly id: string | null;
};

/** What a run asks for, or used. */
export type BudgetAmount = { readonly runs: number; readonly fuel: number };

type Budgets = SafetyConfig["budgets"];

/**
 * Use of every configured budget at `now`, as rows of a safety snapshot, `fuel` first (spec/safety.md, budgets). An
 * entry counts until it is a whole window old, reserved or settled; an entry from the future counts too.
 */
export function budgetUse(
  entries: readonly BudgetEntry[],
  budgets: Budgets,
  asked: BudgetAmount,
  now: number,
): SafetySnapshot["budgets"] {
  return (["fuel", "runs"] as const).flatMap((name) => {
    const budget = budgets[name];
    if (budget === undefined) return [];
    const start = now - budget.windowSeconds * 1000;
    const inside = entries.filter((entry) => entry.at > start);
    const total = (state: BudgetEntry["state"]) =>
      inside.filter((entry) => entry.state === state).reduce((sum, entry) => add(sum, entry[name]), 0);
    const { limit, windowSeconds } = budget;
    return [{ name, limit, windowSeconds, used: total("settled"), reserved: total("reserved"), asked: asked[name] }];
  });
}

/** The ledger with a reservation for one run. An id that is already reserved keeps its first reservation. */
export function reserve(
  entries: readonly BudgetEntry[],
  run: BudgetAmount & { readonly id: string },
  budgets: Budgets,
  now: number,
): BudgetEntry[] {
  const held = entries.some((entry) => entry.state === "reserved" && entry.id === run.id);
  const { id, runs, fuel } = run;
  return compact(held ? entries : [...entries, { at: now, runs, fuel, state: "reserved", id }], budgets, now);
}

/**
 * The ledger with a run's reservation replaced by what it really used, at the reservation's time. Without a reservation
 * the use is entered at `now`.
 */
export function settle(
  entries: readonly BudgetEntry[],
  run: BudgetAmount & { readonly id: string },
  budgets: Budgets,
  now: number,
): BudgetEntry[] {
  const held = entries.find((entry) => entry.state === "reserved" && entry.id === run.id);
  const { runs, fuel } = run;
  const rest = entries.filter((entry) => entry !== held);
  return compact([...rest, { at: held?.at ?? now, runs, fuel, state: "settled", id: null }], budgets, now);
}

/** Parts of a window that settled entries are merged into. */
const parts = 60;

/**
 * Drops what is outside the longest window and merges settled entries: inside the shortest window by a sixtieth of it
 * (at least a second), older ones by a sixtieth of the longest. A merged entry takes its latest time, so nothing leaves
 * a window early. The result has at most about 120 settled entries, however many runs there were.
 */
function compact(entries: readonly BudgetEntry[], budgets: Budgets, now: number): BudgetEntry[] {
  const windows = [budgets.runs, budgets.fuel].flatMap((budget) => budget?.windowSeconds ?? []).map((s) => s * 1000);
  if (windows.length === 0) return [];
  const shortest = Math.min(...windows);
  const longest = Math.max(...windows);
  const merged = new Map<string, BudgetEntry>();
  const kept: BudgetEntry[] = [];
  for (const entry of entries) {
    if (entry.at <= now - longest) continue;
    if (entry.state === "reserved") {
      kept.push(entry);
      continue;
    }
    const recent = entry.at > now - shortest;
    const width = Math.max(1000, Math.ceil((recent ? shortest : longest) / parts));
    const key = `${recent}/${Math.floor(entry.at / width)}`;
    const other = merged.get(key);
    merged.set(key, other === undefined ? entry : merge(other, entry));
  }
  return [...merged.values(), ...kept].sort((a, b) => a.at - b.at || order(a.id ?? "", b.id ?? ""));
}

function merge(a: BudgetEntry, b: BudgetEntry): BudgetEntry {
  return {
    at: Math.max(a.at, b.at),
    runs: add(a.runs, b.runs),
    fuel: add(a.fuel, b.fuel),
    state: "settled",
    id: null,
  };
}

function add(a: number, b: number): number {
  return Math.min(a + b, Number.MAX_SAFE_INTEGER);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
