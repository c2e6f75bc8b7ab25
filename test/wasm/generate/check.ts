import type { Result } from "../../../src/errors.js";
import { readFuelTable } from "../../../src/wasm/fuel.js";
import { type SealedModule, sealModule } from "../../../src/wasm/seal.js";
import { encodePlain, encodeReference } from "./encode.js";
import { generatedCapabilities } from "./module.js";
import { checkPlan } from "./plan-check.js";
import { type Random, randomOf } from "./random.js";
import { isValidModule, type Run, runModule } from "./run.js";
import { type Call, type ModuleTree, memoryCap } from "./tree.js";

/** What is wrong with a module; `kind` names the property that does not hold. */
export type Failure = { readonly kind: string; readonly detail: string };

/** What a module without a failure did. */
export type Passed = {
  readonly executed: ReadonlyMap<string, number>;
  readonly fuel: bigint;
  readonly exactCost: bigint;
  readonly trapped: boolean;
  readonly size: number;
  readonly sealedSize: number;
};

const plenty = { fuel: 1n << 60n, stack: 32_768 };

class Mismatch extends Error {
  readonly failure: Failure;

  constructor(kind: string, detail: string) {
    super(`${kind}: ${detail}`);
    this.failure = { kind, detail };
  }
}

function demand(holds: boolean, kind: string, detail: () => string): asserts holds {
  if (!holds) {
    throw new Mismatch(kind, detail());
  }
}

/** Checks everything the meter promises about one generated module. */
export function checkModule(tree: ModuleTree): Failure | Passed {
  try {
    const plain = encodePlain(tree);
    const reference = encodeReference(tree).bytes;
    return checkBytes(plain, reference, tree.calls, tree.exact, randomOf(`${tree.seed}/limits`));
  } catch (error) {
    if (error instanceof Mismatch) {
      return error.failure;
    }
    return { kind: "threw", detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** True for what checkModule found wrong. */
export function isFailure(result: Failure | Passed): result is Failure {
  return "kind" in result;
}

/**
 * The same for bytes: `reference` is the program with canonical NaNs; `exact` says that `plain` makes none and is a
 * reference itself. Throws Mismatch.
 */
export function checkBytes(
  plain: Uint8Array,
  reference: Uint8Array,
  calls: readonly Call[],
  exact: boolean,
  random: Random,
): Passed {
  demand(isValidModule(plain), "generator", () => "the module is invalid");
  demand(isValidModule(reference), "generator", () => "the reference is invalid");
  const sealed = sealTwice(plain);
  const unpaid = checkPlan(plain);
  demand(unpaid === null, "plan", () => unpaid ?? "");
  const expected = runModule(reference, calls, null);
  demand(!expected.steps.some((step) => step.startsWith("other:")), "generator", () => expected.steps.join("\n"));
  const full = runModule(sealed.bytes, calls, plenty);
  demand(full.stopped === null, "stopped", () => `out of ${full.stopped} with plenty of it`);
  sameRun(full, expected, "reference");
  // The original may grow beyond the cap; where the sealed module was refused that, they part.
  if (exact && (full.state & 1) === 0) {
    sameRun(full, runModule(plain, calls, null), "original");
  }
  demand((full.state & 2) === 0, "host fault", () => `state ${full.state}`);
  demand(full.balanced, "stack", () => "a call that returned left the stack counter changed");
  const again = runModule(sealed.bytes, calls, plenty);
  demand(again.fuel === full.fuel, "fuel", () => `${full.fuel}, then ${again.fuel}`);
  sameRun(again, full, "the run before");
  const exactCost = costOf(expected.executed);
  demand(full.fuel >= exactCost, "undercharged", () => `${full.fuel} charged for a cost of ${exactCost}`);
  checkShort(sealed, calls, full, random);
  return {
    executed: expected.executed,
    fuel: full.fuel,
    exactCost,
    trapped: full.trapped,
    size: plain.length,
    sealedSize: sealed.bytes.length,
  };
}

/** Seals a generated module with the caps it is made for. */
export function sealGenerated(plain: Uint8Array): Result<SealedModule> {
  return sealModule(plain, { capabilities: generatedCapabilities, memoryPages: memoryCap, tableElements: 1000 });
}

function sealTwice(plain: Uint8Array): SealedModule {
  const first = sealGenerated(plain);
  demand(first.ok, "refused", () => (first.ok ? "" : `${first.error.code} ${first.error.message}`));
  demand(isValidModule(first.value.bytes), "invalid", () => "the sealed module is invalid");
  const second = sealGenerated(plain.slice());
  const same = second.ok && Buffer.compare(first.value.bytes, second.value.bytes) === 0;
  demand(same, "bytes", () => "sealed twice, and not the same bytes");
  return first.value;
}

function sameRun(one: Run, other: Run, what: string): void {
  for (let index = 0; index < Math.max(one.steps.length, other.steps.length); index += 1) {
    const [found, expected] = [one.steps[index], other.steps[index]];
    demand(found === expected, "result", () => `step ${index}: ${found}, expected ${expected} as in ${what}`);
  }
  const at = one.log.findIndex((line, index) => line !== other.log[index]);
  demand(at < 0 && one.log.length === other.log.length, "host calls", () => {
    const from = at < 0 ? Math.min(one.log.length, other.log.length) : at;
    return `call ${from}: ${one.log[from]}, expected ${other.log[from]} as in ${what}`;
  });
  const known = one.memory !== null && other.memory !== null;
  demand(!known || one.memory === other.memory, "memory", () => `the memory differs from that of ${what}`);
}

/** The static cost of the instructions that were executed. */
function costOf(executed: ReadonlyMap<string, number>): bigint {
  const { instructions, instruction } = readFuelTable();
  let cost = 0n;
  for (const [name, count] of executed) {
    cost += BigInt(count) * BigInt(Object.hasOwn(instructions, name) ? (instructions[name] as number) : instruction);
  }
  return cost;
}

/** With exactly enough fuel all is the same; with less, and with little stack, a run is a prefix. */
function checkShort(sealed: SealedModule, calls: readonly Call[], full: Run, random: Random): void {
  const used = full.fuel;
  const exactly = runModule(sealed.bytes, calls, { ...plenty, fuel: used });
  demand(exactly.stopped === null && exactly.fuel === used, "fuel", () => `${used} are enough and do not suffice`);
  sameRun(exactly, full, "the run with plenty");
  const limits = [used - 1n, 0n, (used * BigInt(random.next(1000))) / 1000n];
  for (const fuel of limits.filter((limit) => limit >= 0n && limit < used)) {
    const short = runModule(sealed.bytes, calls, { ...plenty, fuel });
    demand(short.stopped === "fuel", "fuel", () => `${fuel} fuel suffice where ${used} were used`);
    isPrefix(short, full, `with ${fuel} of ${used} fuel`);
  }
  const stack = random.next(random.one([60, 600, 4000]));
  const shallow = runModule(sealed.bytes, calls, { ...plenty, stack });
  demand(shallow.stopped !== "fuel", "stack", () => "out of fuel for want of stack");
  isPrefix(shallow, full, `with ${stack} words of stack`);
  if (shallow.stopped === null) {
    demand(shallow.fuel === full.fuel, "stack", () => "the stack limit changes the fuel");
    sameRun(shallow, full, "the run with plenty");
  }
}

function isPrefix(short: Run, full: Run, how: string): void {
  const steps = short.steps.findIndex((step, index) => step !== full.steps[index]);
  demand(steps < 0, "prefix", () => `${how}, step ${steps}: ${short.steps[steps]}, expected ${full.steps[steps]}`);
  const line = short.log.findIndex((entry, index) => entry !== full.log[index]);
  demand(line < 0, "prefix", () => `${how}, host call ${line}: ${short.log[line]}, expected ${full.log[line]}`);
}
