import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import wabtInit from "wabt";
import { inspectModule } from "../../../src/wasm/inspect.js";
import { sealModule } from "../../../src/wasm/seal.js";
import { encodePlain } from "./encode.js";
import { generatedCapabilities, makeModule } from "./module.js";
import { mutate } from "./mutate.js";
import { randomOf } from "./random.js";
import { isValidModule, runModule } from "./run.js";
import { type Call, digestExport, memoryCap } from "./tree.js";

const wabt = await wabtInit();
const root = fileURLToPath(new URL("../../..", import.meta.url));
const options = { capabilities: generatedCapabilities, memoryPages: memoryCap, tableElements: 1000 };

/** A mutant may take this long, in milliseconds of processor time; the originals take a few. */
const patience = 3000;

/** What the mutants of one run came to. */
export type MutantCounts = { ran: number; valid: number; admitted: number; compared: number };

/** Shipped plugins, fixtures, and generated modules. */
export function mutantCorpus(seed: string, generated: number): Uint8Array[] {
  const files = ["plugins", "test/fixtures", "test/plugins"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".wasm"))
      .map((name) => new Uint8Array(readFileSync(join(root, folder, name)))),
  );
  return [
    ...files,
    ...Array.from({ length: generated }, (_, index) => encodePlain(makeModule(`${seed}/corpus:${index}`))),
  ];
}

/** Makes and checks mutants. Throws at the first that fails, cut down and kept under test/artifacts. */
export function playMutants(seed: string, from: number, count: number, budgetMs: number): MutantCounts {
  const until = performance.now() + budgetMs;
  const corpus = mutantCorpus(seed, 60);
  const counts: MutantCounts = { ran: 0, valid: 0, admitted: 0, compared: 0 };
  while (counts.ran < count && performance.now() < until) {
    const number = from + counts.ran;
    const random = randomOf(`${seed}/mutant:${number}`);
    const bytes = mutate(random, random.one(corpus), random.one(corpus));
    const problem = checkMutant(bytes, counts);
    if (problem !== null) {
      throw new Error(keep(`${seed}-mutant-${number}`, bytes, problem));
    }
    counts.ran += 1;
  }
  return counts;
}

const codes = /^EXO_WASM_(?:SIZE|INVALID|FEATURE|IMPORT|EXPORT|LIMIT)$/;

/** What is wrong with how these bytes are judged, or null. */
export function checkMutant(bytes: Uint8Array, counts?: MutantCounts): string | null {
  const copy = bytes.slice();
  const before = process.cpuUsage();
  let sealed: ReturnType<typeof sealModule>;
  let report: ReturnType<typeof inspectModule>;
  try {
    sealed = sealModule(bytes, options);
    report = inspectModule(bytes, options);
  } catch (error) {
    return `threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  const { user, system } = process.cpuUsage(before);
  if (user + system > patience * 1000) {
    return `slow: ${(user + system) / 1000} ms`;
  }
  const valid = isValidModule(bytes);
  if (counts !== undefined) {
    counts.valid += Number(valid);
    counts.admitted += Number(sealed.ok);
  }
  if (Buffer.compare(copy, bytes) !== 0) {
    return "wrote: the caller's bytes were changed";
  }
  if (report.admitted !== sealed.ok) {
    return "disagree: inspect and seal";
  }
  if (!sealed.ok) {
    const { code, message } = sealed.error;
    if (report.reasons[0]?.message !== message || !codes.test(code)) {
      return `refusal: ${code} ${message}, inspected ${report.reasons[0]?.message}`;
    }
    return valid && code === "EXO_WASM_INVALID" ? `valid, and refused as invalid: ${message}` : null;
  }
  if (!valid) {
    return "wrong accept: the engine refuses the original";
  }
  if (!isValidModule(sealed.value.bytes)) {
    return "invalid: the sealed module";
  }
  return compare(bytes, sealed.value.bytes, report.exports, counts);
}

type Exports = ReturnType<typeof inspectModule>["exports"];

/** Runs what can be called from outside; where the sealed module stays within its limits, the original must agree. */
function compare(bytes: Uint8Array, sealed: Uint8Array, exports: Exports, counts?: MutantCounts): string | null {
  const calls = exports
    .filter(({ name, signature }) => name !== digestExport && signature !== null && isCallable(signature))
    .slice(0, 4)
    .map(({ name, signature }): Call => [name, ...(signature?.params ?? []).map((type) => argument(type))]);
  const after = runModule(sealed, calls, { fuel: 300_000n, stack: 16_384 });
  if (after.stopped !== null || after.state !== 0) {
    return null;
  }
  const before = runModule(bytes, calls, null);
  const same =
    before.steps.join("\n") === after.steps.join("\n") &&
    before.log.join("\n") === after.log.join("\n") &&
    (before.memory === null || after.memory === null || before.memory === after.memory);
  if (counts !== undefined) {
    counts.compared += 1;
  }
  if (same || makesNan(bytes)) {
    return null;
  }
  return `different: ${after.steps.join(" | ")}, expected ${before.steps.join(" | ")}`;
}

function isCallable({
  params,
  results,
}: {
  readonly params: readonly string[];
  readonly results: readonly string[];
}): boolean {
  return [...params, ...results].every((type) => /^(?:[if](?:32|64)|externref)$/.test(type));
}

function argument(type: string): number | bigint | null {
  return type === "i64" ? 7n : type === "externref" ? null : 3;
}

/** The bits of a NaN that arithmetic makes are the engine's: such a module's original is no reference. */
function makesNan(bytes: Uint8Array): boolean {
  const module = wabt.readWasm(bytes, { simd: true, bulk_memory: true, reference_types: true, multi_value: true });
  try {
    const text = module.toText({ foldExprs: false, inlineExport: false });
    return /f(?:32|64)(?:x\d)?\.(?:add|sub|mul|div|sqrt|ceil|floor|trunc|nearest|min|max|demote|promote)/.test(text);
  } finally {
    module.destroy();
  }
}

/** Cuts a failing mutant down, writes it, and says how to keep it. */
function keep(name: string, bytes: Uint8Array, problem: string): string {
  const kind = problem.slice(0, problem.indexOf(":"));
  const small = cutDown(bytes, (candidate) => checkMutant(candidate)?.startsWith(`${kind}:`) === true);
  const folder = join(root, "test/artifacts");
  mkdirSync(folder, { recursive: true });
  const file = `${name.replace(/[^\w]+/g, "-")}.wasm`;
  writeFileSync(join(folder, file), small);
  return [
    `${name}: ${problem}`,
    `cut down to ${small.length} bytes: ${checkMutant(small)}`,
    `to keep it: cp test/artifacts/${file} test/wasm/kept/`,
  ].join("\n");
}

function cutDown(bytes: Uint8Array, fails: (bytes: Uint8Array) => boolean): Uint8Array {
  const until = performance.now() + 30_000;
  let best = bytes;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 8; at < best.length && performance.now() < until; ) {
      const candidate = Uint8Array.from([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (fails(candidate)) {
        best = candidate;
      } else {
        at += size;
      }
    }
  }
  return best;
}
