/** Runs the corpus through the sandbox, as production does, and once more in this thread. */
import { digestOf, digestOfJson } from "../../dist/canonical/digest.js";
import { compileGuest } from "../../dist/sandbox/extism.js";
import { createSandboxPool } from "../../dist/sandbox/pool.js";
import { describeGuest, runGuest } from "../../dist/sandbox/run.js";
import { sealModule } from "../../dist/wasm/seal.js";
import { differenceOfFields } from "./compare.mjs";
import { answerOf, corpusOf } from "./corpus.mjs";

const limits = {
  fuel: 5_000_000,
  stackBytes: 262_144,
  outputBytes: 65_536,
  kernelBytes: 1_048_576,
  hostCalls: 50,
  timeoutMs: 300_000,
};
/** In this thread the native stack may be as small as 500 KB, and nobody sets another: counted is a small part of it. */
const stackHere = 32_768;
/** How often a warm-up is run before the attack, a pause behind each: the optimizing compiler works beside the guest. */
const warmRuns = 8;

/**
 * Runs every case and returns what the records of them would hold, by name. `workerStackMb` overrides the native stack
 * of the workers. Throws when a case ends otherwise than it must, or differs from its own first run.
 */
export async function runCorpus({ quick = false, workerStackMb } = {}) {
  const faults = [];
  const pool = createSandboxPool({
    workerUrl: new URL("../../dist/sandbox/worker.js", import.meta.url),
    size: 1,
    logger: { log: (_level, message, fields) => faults.push(`${message} ${JSON.stringify(fields)}`) },
    ...(workerStackMb === undefined
      ? {}
      : { workerOptions: { resourceLimits: { stackSizeMb: workerStackMb, maxOldGenerationSizeMb: 256 } } }),
  });
  const results = {};
  try {
    for (const item of corpusOf(quick)) {
      const sealed = sealModule(item.wasm, { capabilities: item.capabilities, memoryPages: 32, tableElements: 1000 });
      if (!sealed.ok) throw new Error(`${item.name}: ${sealed.error.code} ${sealed.error.message}`);
      results[item.name] = await runCase(pool, item, sealed.value).catch((error) => {
        throw new Error(`${error.message}${faults.length > 0 ? `\n${faults.join("\n")}` : ""}`);
      });
    }
  } finally {
    await pool.close();
  }
  return results;
}

async function runCase(pool, item, sealed) {
  for (let run = 0; item.warm && run < warmRuns; run++) {
    const warmed = await runInPool(pool, { ...item, function: "warm" }, sealed);
    if (warmed.status !== "completed") throw new Error(`${item.name}: the warm-up ended as ${warmed.status}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  const first = await runInPool(pool, item, sealed);
  if (item.expect !== undefined && first.status !== item.expect) {
    throw new Error(`${item.name}: expected ${item.expect}, got ${first.status} ${first.code}`);
  }
  const again = (what, other) => {
    const difference = differenceOfFields(first, other);
    if (difference !== undefined) throw new Error(`${item.name}: ${what}: ${difference}`);
  };
  for (let run = 1; run < (item.repeat ?? 1); run++) again(`run ${run + 1}`, await runInPool(pool, item, sealed));
  const small = { ...item, limits: { ...item.limits, stackBytes: stackHere } };
  const here = item.warm ? undefined : await runHere(small, sealed);
  if (here !== undefined && item.expect !== "stack_overflow" && here.status !== "stack_overflow")
    again("in this thread", here);
  return {
    ...first,
    module: sealed.original,
    sealed: sealed.digest,
    ...(here === undefined ? {} : { here }),
    ...(item.needed === true ? { stackNeeded: await stackNeeded(pool, item, sealed) } : {}),
  };
}

/** The least stack, in bytes, with which a run that completes still does. */
async function stackNeeded(pool, item, sealed) {
  let [low, high] = [0, (item.limits.stackBytes ?? limits.stackBytes) / 8];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const { status } = await runInPool(pool, { ...item, limits: { ...item.limits, stackBytes: 8 * middle } }, sealed);
    if (status !== "completed" && status !== "stack_overflow") throw new Error(`${item.name}: ${status}`);
    [low, high] = status === "completed" ? [low, middle] : [middle, high];
  }
  return 8 * high;
}

async function runInPool(pool, item, sealed) {
  const transcript = [];
  const call = (asked) => answer(asked, transcript);
  const job = { function: item.function, input: item.input, limits: { ...limits, ...item.limits } };
  return recordOf(await pool.run({ module: sealed, ...job, call }), transcript);
}

async function runHere(item, sealed) {
  const transcript = [];
  const guest = describeGuest(await compileGuest(sealed.bytes));
  const job = { function: item.function, input: new Uint8Array(item.input), limits: { ...limits, ...item.limits } };
  return recordOf(await runGuest(guest, job, (asked) => answer(asked, transcript)), transcript);
}

function answer(asked, transcript) {
  const response = answerOf(asked);
  const { seq, capability, request, fuel } = asked;
  transcript.push({ seq, capability, fuel, request: digestOf(request), response: digestOf(response) });
  return { kind: "answer", response };
}

/** What a record would hold of one run. */
function recordOf({ status, output, error, fuelUsed, memoryPeakPages, hostCalls }, transcript) {
  return {
    status,
    code: error?.code ?? null,
    message: error?.message ?? null,
    output: output === undefined ? null : digestOf(output),
    fuelUsed,
    memoryPeakPages,
    hostCalls,
    transcript,
  };
}

/** The digest of a corpus run's results. */
export function digestOfCorpus(results) {
  return digestOfJson(results);
}
