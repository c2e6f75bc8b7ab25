/** What metering costs a guest: the sealed module beside the original, warm, in the same engine. */
import { meterRevision, sealModule } from "../../dist/wasm/seal.js";
import { guests, readGuest } from "./guests.mjs";
import { geometricMean, median } from "./measure.mjs";
import { row } from "./table.mjs";

const fuel = 10n ** 15n;

/** One row a guest and their geometric mean. */
export async function meteringRows({ quick }) {
  const rows = [];
  for (const { name } of guests.filter(({ simd }) => !simd)) {
    rows.push(await measureGuest(name, readGuest(name), quick ? 9 : 31));
  }
  const ratios = rows.map(({ ratio }) => ratio);
  const mean = geometricMean(ratios);
  const worst = Math.max(...ratios);
  const best = geometricMean(rows.map((one) => one.best));
  const note = `${best.toFixed(2)}x at best; meter revision ${meterRevision}: one charge a basic block`;
  rows.push(row("geometric mean", { ratio: mean, peer: "unmetered", target: "<= 1.15x", reached: mean <= 1.15, note }));
  rows.push(row("worst guest", { ratio: worst, peer: "unmetered", target: "<= 1.6x", reached: worst <= 1.6 }));
  return rows;
}

async function measureGuest(name, wasm, rounds) {
  const sealed = sealModule(wasm, { capabilities: [], memoryPages: 1024, tableElements: 10_000 });
  if (!sealed.ok) throw new Error(`${name}: ${sealed.error.message}`);
  const original = await WebAssembly.compile(wasm);
  const metered = await WebAssembly.compile(sealed.value.bytes);
  const samples = { original: [], metered: [] };
  let used = 0n;
  // One after the other in turn, so that both meet the same weather.
  const round = async () => {
    const plain = await timed(original);
    const counted = await timed(metered);
    if (plain.result !== counted.result) throw new Error(`${name}: metering changed the result`);
    used = counted.used;
    return [plain.ms, counted.ms];
  };
  // Warm: the optimizing compiler works in the background and needs both runs that ask for it and time.
  for (let warmUp = 0; warmUp < 12; warmUp++) await round();
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let warmUp = 0; warmUp < 4; warmUp++) await round();
  for (let taken = 0; taken < rounds; taken++) {
    const [plain, counted] = await round();
    samples.original.push(plain);
    samples.metered.push(counted);
  }
  const [before, after] = [median(samples.original), median(samples.metered)];
  const best = Math.min(...samples.metered) / Math.min(...samples.original);
  const note = `${best.toFixed(2)}x at best, ${Number(used).toLocaleString("en-US")} fuel, ${before.toFixed(2)} ms unmetered`;
  return row(name, { value: after, unit: "ms", ratio: after / before, best, peer: "unmetered", note, raw: samples });
}

/** Runs a fresh instance once; only the call is timed. */
async function timed(module) {
  const { exports } = await WebAssembly.instantiate(module, {});
  const metered = "exo:fuel" in exports;
  if (metered) {
    exports["exo:fuel"].value = fuel;
    exports["exo:stack"].value = 1_000_000;
    // The original's start section ran when it was instantiated.
    exports["exo:start"]?.();
  }
  const start = performance.now();
  const result = exports.run();
  const ms = performance.now() - start;
  return { result, ms, used: metered ? fuel - exports["exo:fuel"].value : 0n };
}
