import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkModule, type Failure, isFailure, type Passed } from "./check.js";
import { encodePlain, encodeReference } from "./encode.js";
import { withCalls } from "./kept.js";
import { makeModule } from "./module.js";
import { shrink } from "./shrink.js";
import type { ModuleTree } from "./tree.js";

const artifacts = fileURLToPath(new URL("../../artifacts", import.meta.url));

/** Rounds of one run: `count` modules of a seed from number `from` on, or as many as fit into `budgetMs`. */
export type Plan = {
  readonly seed: string;
  readonly from: number;
  readonly count: number;
  readonly budgetMs: number;
};

/** What the rounds came to. */
export type Rounds = {
  ran: number;
  trapped: number;
  exact: number;
  /** Executions of every instruction over all modules. */
  readonly executed: Map<string, number>;
  /** Fuel charged, as a multiple of the static cost of what was executed, of every module that executed much. */
  readonly ratios: number[];
  size: number;
  sealedSize: number;
};

/** Makes and checks modules. Throws at the first that fails, shrunk and kept under test/artifacts. */
export function playRounds(plan: Plan): Rounds {
  const until = performance.now() + plan.budgetMs;
  const rounds: Rounds = {
    ran: 0,
    trapped: 0,
    exact: 0,
    executed: new Map(),
    ratios: [],
    size: 0,
    sealedSize: 0,
  };
  while (rounds.ran < plan.count && performance.now() < until) {
    const tree = makeModule(`${plan.seed}:${plan.from + rounds.ran}`);
    const result = checkModule(tree);
    if (isFailure(result)) {
      throw new Error(keep(tree, result));
    }
    add(rounds, tree, result);
  }
  return rounds;
}

function add(rounds: Rounds, tree: ModuleTree, passed: Passed): void {
  rounds.ran += 1;
  rounds.trapped += Number(passed.trapped);
  rounds.exact += Number(tree.exact);
  if (passed.exactCost > 1000n) {
    rounds.ratios.push(Number(passed.fuel) / Number(passed.exactCost));
  }
  rounds.size += passed.size;
  rounds.sealedSize += passed.sealedSize;
  for (const [name, count] of passed.executed) {
    rounds.executed.set(name, (rounds.executed.get(name) ?? 0) + count);
  }
}

/** Shrinks a failing module, writes it down, and says how to keep it. */
function keep(tree: ModuleTree, failure: Failure): string {
  const small = shrink({ tree, failure });
  const name = small.tree.seed.replace(/[^\w]+/g, "-");
  mkdirSync(artifacts, { recursive: true });
  const plain = encodePlain(small.tree);
  writeFileSync(join(artifacts, `${name}.wasm`), withCalls(plain, small.tree));
  writeFileSync(join(artifacts, `${name}.reference.wasm`), encodeReference(small.tree).bytes);
  return [
    `module ${tree.seed}: ${failure.kind}: ${failure.detail}`,
    `shrunk to ${plain.length} bytes: ${small.failure.kind}: ${small.failure.detail}`,
    `to keep it: cp test/artifacts/${name}.*wasm test/wasm/kept/`,
  ].join("\n");
}

/** One line about a run. */
export function describeRounds(plan: Plan, rounds: Rounds): string {
  const rarest = [...rounds.executed].sort(([, one], [, other]) => one - other).slice(0, 3);
  return [
    `seed ${plan.seed}: modules ${plan.from} to ${plan.from + rounds.ran - 1}`,
    `${rounds.trapped} trapped, ${rounds.exact} compared with the original itself`,
    `${rounds.executed.size} instructions executed, the rarest ${rarest.map(([name, count]) => `${name} ${count}`).join(", ")}`,
    `fuel ${median(rounds.ratios).toFixed(2)} times the static cost of what ran (median)`,
    `size ${(rounds.sealedSize / rounds.size).toFixed(2)} times the original's`,
  ].join("; ");
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;
}
