/** Governed actions beside the bare Extism SDK and beside raw LMDB. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPlugin } from "@extism/extism";
import { open } from "lmdb";
import { createSandboxPool } from "../../dist/sandbox/pool.js";
import { openLmdbStore } from "../../dist/stores/lmdb.js";
import { createMemoryStore } from "../../dist/stores/memory.js";
import { concurrently } from "./measure.mjs";
import { draft, echo, input, limits, openGovernance, openRuntime, sealedEcho } from "./parts.mjs";
import { row } from "./table.mjs";

const workerUrl = new URL("../../dist/sandbox/worker.js", import.meta.url);

/** Rows about one small action in memory. */
export async function memoryRows({ quick }) {
  const count = quick ? 400 : 3000;
  const rows = [];
  const bare = await bareExtism(count);
  for (const at of [1, 64]) rows.push(figuresOf(`bare Extism SDK, fresh instance, ${at} at a time`, bare[at]));
  const pool = createSandboxPool({ workerUrl });
  const module = sealedEcho();
  const job = {
    module,
    function: "echo",
    input,
    limits,
    call: () => ({ kind: "stop", status: "host_fault", code: "EXO_HOST_FAULT", message: "" }),
  };
  await concurrently(count, 8, () => pool.run(job));
  for (const at of [1, 64]) {
    const run = await concurrently(count, at, () => pool.run(job));
    rows.push(figuresOf(`sandbox pool alone, ${at} at a time`, run, { ratio: run.each / bare[at].each, peer: "bare" }));
  }
  await pool.close();
  const runtime = await openRuntime(createMemoryStore());
  await concurrently(Math.min(count, 500), 8, () => execute(runtime));
  for (const [at, limit] of [
    [1, 5],
    [64, 4],
  ]) {
    const run = await concurrently(count, at, () => execute(runtime));
    rows.push(
      figuresOf(`governed action in memory, ${at} at a time`, run, against(run.each / bare[at].each, "bare", limit)),
    );
  }
  await runtime.close();
  const pipeline = await openGovernance(createMemoryStore());
  await concurrently(Math.min(count, 500), 8, () => execute(pipeline));
  for (const at of [1, 64]) {
    const run = await concurrently(count, at, () => execute(pipeline));
    rows.push(
      figuresOf(`governance without the sandbox, ${at} at a time`, run, {
        target: "<= 0.4 ms",
        reached: run.each <= 0.4,
      }),
    );
  }
  return rows;
}

/** Rows about one small action on disk. */
export async function durableRows({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-bench-"));
  try {
    const counted = countBytes(await openLmdbStore(join(folder, "store")));
    const runtime = await openRuntime(counted.store);
    await concurrently(quick ? 100 : 500, 16, () => execute(runtime));
    const rows = [];
    const runs = {};
    counted.reset();
    for (const at of [1, 64])
      runs[at] = await concurrently((quick ? 200 : 1000) * (at === 1 ? 1 : 6), at, () => execute(runtime));
    const bytes = Math.round(counted.bytes() / (runs[1].count + runs[64].count));
    await runtime.close();
    const raw = await rawLmdb(join(folder, "raw"), bytes, quick);
    for (const at of [1, 64])
      rows.push(figuresOf(`raw LMDB, one flushed value of ${bytes} bytes, ${at} at a time`, raw[at]));
    for (const at of [1, 64]) {
      const { rate, p99 } = runs[at];
      const target = at === 1 ? {} : { target: ">= 1,500/s, p99 <= 100 ms", reached: rate >= 1500 && p99 <= 100 };
      rows.push(
        figuresOf(`governed durable action, ${at} at a time`, runs[at], {
          ratio: runs[at].each / raw[at].each,
          peer: "raw LMDB",
          ...target,
        }),
      );
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Executes the draft and makes sure that it was executed: a denial would be fast. */
async function execute(target) {
  const result = await target.execute(draft);
  if (result.status !== "executed") throw new Error(`expected executed, got ${result.status}`);
  return result;
}

async function bareExtism(count) {
  const module = await WebAssembly.compile(echo.wasm);
  const call = async () => {
    const plugin = await createPlugin({ wasm: [{ module, name: "main" }] }, { useWasi: false, runInWorker: false });
    const output = await plugin.call("echo", input);
    if (output?.byteLength !== input.length) throw new Error("the bare plugin did not echo");
    await plugin.close();
  };
  await concurrently(count, 8, call);
  return { 1: await concurrently(count, 1, call), 64: await concurrently(count, 64, call) };
}

/** The least a durable record costs: one put of so many bytes, waited for until it is flushed. */
async function rawLmdb(path, bytes, quick) {
  const db = open({ path, encoding: "binary", compression: false, cache: false, overlappingSync: false, maxDbs: 1 });
  const value = Buffer.alloc(bytes, 7);
  let key = 0;
  const put = () => db.put(`k/${String(key++).padStart(16, "0")}`, value);
  await concurrently(200, 16, put);
  const runs = {};
  for (const at of [1, 64]) runs[at] = await concurrently((quick ? 300 : 2000) * (at === 1 ? 1 : 6), at, put);
  await db.close();
  return runs;
}

/** A store that counts the bytes of the values it is given. */
function countBytes(inner) {
  let total = 0;
  const store = {
    get: (key) => inner.get(key),
    range: (range) => inner.range(range),
    acquire: () => inner.acquire(),
    commit: (changes, epoch) => {
      for (const { value } of changes) total += value?.length ?? 0;
      return inner.commit(changes, epoch);
    },
    close: () => inner.close(),
  };
  return { store, bytes: () => total, reset: () => (total = 0) };
}

function against(ratio, peer, limit) {
  return { ratio, peer, target: `<= ${limit}x`, reached: ratio <= limit };
}

function figuresOf(name, run, more = {}) {
  return row(name, { value: run.each, unit: "ms", p99: run.p99, rate: run.rate, raw: run, ...more });
}
