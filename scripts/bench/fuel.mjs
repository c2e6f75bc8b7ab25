/**
 * How fast a guest can burn its fuel, by what it does. The limit of fuel is a limit of time as far as these figures are
 * close together; they are what the fuel table is tuned by.
 */
import wabtFactory from "wabt";
import { meterRevision, sealModule } from "../../dist/wasm/seal.js";
import { moduleText } from "./kernel-text.mjs";
import { codeKernels } from "./kernels-code.mjs";
import { memoryKernels } from "./kernels-memory.mjs";
import { median, onProcessor, quantile } from "./measure.mjs";
import { arm, sealOptions } from "./metering.mjs";
import { figure, row } from "./table.mjs";

const kernels = [...codeKernels, ...memoryKernels];

const efforts = { quick: { ms: 4, rounds: 5 }, whole: { ms: 15, rounds: 15 } };

const columns = [
  ["", (one) => one.name],
  ["group", (one) => one.group ?? ""],
  ["fuel/ms", (one) => figure(one.speed), "right"],
  ["relative", (one) => (typeof one.relative === "number" ? `${one.relative.toFixed(2)}x` : ""), "right"],
  ["", (one) => one.note ?? ""],
];

/** The simplest host there is. It is faster than any real one, so a host call never burns more fuel in a millisecond. */
const host = {
  "extism:host/env": { input_length: () => 8n, load_u64: (at) => at, store_u64: () => {}, alloc: (size) => size },
};

/** One row a kernel, then the spread over all of them. */
export async function fuelTable({ quick, guests: chosen }) {
  const wabt = await wabtFactory();
  const measured = [];
  for (const kernel of kernels.filter(({ name }) => chosen?.includes(name) ?? true)) {
    measured.push(await measureKernel(wabt, kernel, quick ? efforts.quick : efforts.whole));
  }
  const middle = median(measured.map(({ speed }) => speed));
  for (const one of measured) one.relative = one.speed / middle;
  return { meterRevision, columns, rows: [...measured, ...summary(measured, middle)] };
}

/** What an instruction can cost by where it reaches, which no price of the instruction can tell. */
const unpriced = ["first touch", "cache misses"];

/** The spread of each group and of all, and the comparison that a limit of fuel stands on. */
function summary(measured, middle) {
  const spread = (name, list) => {
    const order = [...list].sort((one, other) => one.speed - other.speed);
    const [slow, fast] = [order[0], order.at(-1)];
    const speed = median(list.map((one) => one.speed));
    const end = (one) => `${(one.speed / middle).toFixed(2)}x (${one.name})`;
    const note = `${(fast.speed / slow.speed).toFixed(1)} times, from ${end(slow)} to ${end(fast)}`;
    return row(`spread, ${name}`, { speed, relative: speed / middle, note });
  };
  const groups = [...new Set(measured.map(({ group }) => group))];
  const rows = groups.map((name) =>
    spread(
      name,
      measured.filter(({ group }) => group === name),
    ),
  );
  const priced = measured.filter(({ group }) => !unpriced.includes(group));
  if (priced.length > 0) rows.push(spread(`all but ${unpriced.join(" and ")}`, priced));
  const [empty, dense] = ["empty loop", "i32, dense"].map((name) => measured.find((one) => one.name === name));
  if (empty === undefined || dense === undefined) return rows;
  return [...rows, row("empty loop by dense i32 code", { relative: empty.speed / dense.speed })];
}

async function measureKernel(wabt, kernel, { ms, rounds }) {
  const { name, group } = kernel;
  const bytes = assemble(wabt, kernel);
  const sealed = sealModule(bytes, sealOptions);
  if (!sealed.ok) throw new Error(`${name}: ${sealed.error.message}`);
  const subject = { module: await WebAssembly.compile(sealed.value.bytes), touched: kernel.touched ?? false };
  let fuel = kernel.fuel ?? 100_000;
  // Short runs while the optimizing compiler is at work, then as much fuel as takes the time wanted.
  for (let warmUp = 0; warmUp < 12; warmUp++) await burn(subject, fuel);
  await new Promise((resolve) => setTimeout(resolve, 30));
  while (kernel.fuel === undefined && fuel < 2 ** 50) {
    const took = await burn(subject, fuel);
    if (took > ms / 2) break;
    fuel = Math.ceil(fuel * Math.min(16, Math.max(2, ms / took)));
  }
  const samples = [];
  for (let round = 0; round < rounds; round++) samples.push(fuel / (await burn(subject, fuel)));
  return row(name, { group, speed: quantile(samples, 0.75), raw: samples });
}

function assemble(wabt, kernel) {
  const parsed = wabt.parseWat(kernel.name, moduleText(kernel), {
    simd: true,
    bulk_memory: true,
    reference_types: true,
  });
  try {
    parsed.validate();
    return parsed.toBinary({}).buffer;
  } finally {
    parsed.destroy();
  }
}

/** Milliseconds until a fresh instance has burnt its fuel. Anything but that end is an error. */
async function burn({ module, touched }, fuel) {
  const { exports } = await WebAssembly.instantiate(module, host);
  if (touched) new Uint8Array(exports.memory.buffer).fill(1);
  arm(exports, BigInt(fuel));
  const { result, ms } = onProcessor(() => {
    try {
      exports.run();
      return "it returned";
    } catch (error) {
      return error;
    }
  });
  if (!(result instanceof WebAssembly.RuntimeError) || exports["exo:fuel"].value >= 0n) {
    throw new Error(`a kernel did not end for want of fuel: ${result}`);
  }
  return ms;
}
