/** Bytes in and out of a guest through the standard imports, beside the bare Extism SDK's own kernel and a copy. */
import { readFileSync } from "node:fs";
import { createPlugin } from "@extism/extism";
import wabtFactory from "wabt";
import { compileGuest } from "../../dist/sandbox/extism.js";
import { createSandboxPool } from "../../dist/sandbox/pool.js";
import { describeGuest, runGuest } from "../../dist/sandbox/run.js";
import { sealModule } from "../../dist/wasm/seal.js";
import { median, quantile } from "./measure.mjs";
import { limits as usual } from "./parts.mjs";
import { row } from "./table.mjs";

const source = new URL("./echo.wat", import.meta.url);
const workerUrl = new URL("../../dist/sandbox/worker.js", import.meta.url);
const limits = { ...usual, fuel: 10 ** 12, outputBytes: 2 ** 21 };

const sizes = [
  { name: "64 B", length: 64, rounds: 1500 },
  { name: "10 KB", length: 10_240, rounds: 1000 },
  { name: "1 MiB", length: 1_048_576, rounds: 60, most: 6 },
];

/** Four rows a size; a fresh instance of the guest each time. */
export async function ioRows({ quick }) {
  const { ways, close } = await openWays();
  const rows = [];
  for (const { name, length, rounds, most } of sizes) {
    const input = new Uint8Array(length).fill(7);
    const samples = await inTurn(ways, input, quick ? Math.ceil(rounds / 5) : rounds);
    const bare = median(samples.bare);
    for (const way of Object.keys(ways)) {
      const value = median(samples[way]);
      const facts = factsOf(way, value, bare, most);
      const best = `best ${Math.min(...samples[way]).toPrecision(3)} ms`;
      const p99 = quantile(samples[way], 0.99);
      rows.push(row(`${titles[way]}, ${name}`, { value, unit: "ms", p99, note: best, raw: samples[way], ...facts }));
    }
  }
  await close();
  return rows;
}

function factsOf(way, value, bare, most) {
  if (way !== "run" && way !== "pool") return {};
  const facts = { ratio: value / bare, peer: "bare SDK" };
  return most === undefined ? facts : { ...facts, target: `<= ${most} ms`, reached: value <= most };
}

const titles = {
  copy: "one copy of the bytes",
  bare: "echo, bare Extism SDK, unmetered",
  run: "echo, sandbox, same thread",
  pool: "echo, sandbox, worker thread",
};

/** One function from input to output for every row of a size. */
async function openWays() {
  const wabt = await wabtFactory();
  const wasm = wabt.parseWat("echo.wat", readFileSync(source, "utf8")).toBinary({}).buffer;
  const module = await WebAssembly.compile(wasm);
  const sealed = sealModule(wasm, { capabilities: [], memoryPages: 64, tableElements: 0 });
  if (!sealed.ok) throw new Error(sealed.error.message);
  const guest = describeGuest(await compileGuest(sealed.value.bytes));
  const call = () => ({ kind: "stop", status: "host_fault", code: "EXO_HOST_FAULT", message: "" });
  const job = (input) => ({ module: sealed.value, function: "echo", input, limits, call });
  const pool = createSandboxPool({ workerUrl, size: 1 });
  const ways = {
    copy: async (input) => input.slice(),
    bare: async (input) => {
      const plugin = await createPlugin({ wasm: [{ module, name: "main" }] }, { useWasi: false, runInWorker: false });
      const output = await plugin.call("echo", input);
      await plugin.close();
      return output.bytes();
    },
    run: async (input) => (await runGuest(guest, job(input), call)).output,
    pool: async (input) => (await pool.run(job(input))).output,
  };
  return { ways, close: () => pool.close() };
}

/** Milliseconds of every way, one after the other and in both directions, so that all meet the same weather. */
async function inTurn(ways, input, rounds) {
  const names = Object.keys(ways);
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -Math.ceil(rounds / 4); round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      const start = performance.now();
      const output = await ways[name](input);
      const ms = performance.now() - start;
      if (output?.length !== input.length || output.at(-1) !== 7) throw new Error(`${name}: no echo`);
      if (round >= 0) samples[name].push(ms);
    }
  }
  return samples;
}
