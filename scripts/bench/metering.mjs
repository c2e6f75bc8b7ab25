/** What metering costs a guest: the sealed module beside the original, warm, in the same engine. */
import { meterRevision, sealModule } from "../../dist/wasm/seal.js";
import { guests, readGuest } from "./guests.mjs";
import { geometricMean, median, onProcessor } from "./measure.mjs";
import { figure, row } from "./table.mjs";

/** What a module is sealed for here. */
export const sealOptions = { capabilities: [], memoryPages: 1024, tableElements: 10_000 };

const plenty = 10n ** 15n;

/**
 * How often: `warm` and `sweeps` are passes over all guests, each of `rounds` pairs of runs for every guest. A guest's
 * pairs are spread over the sweeps, so that a busy moment of the machine hits many guests a little, not one a lot.
 */
const efforts = { quick: { warm: 2, sweeps: 3, rounds: 4 }, whole: { warm: 2, sweeps: 5, rounds: 9 } };

const columns = [
  ["", (one) => one.name],
  ["language", (one) => one.language ?? ""],
  ["kind", (one) => one.kind ?? ""],
  ["unmetered ms", (one) => fixed(one.unmetered), "right"],
  ["metered ms", (one) => fixed(one.metered), "right"],
  ["median", (one) => times(one.ratio), "right"],
  ["best", (one) => times(one.best), "right"],
  ["fuel", (one) => figure(one.fuel), "right"],
  ["fuel/ms", (one) => figure(one.speed), "right"],
  ["size", (one) => times(one.size), "right"],
  ["target", (one) => one.target ?? ""],
  ["", (one) => (one.reached === null ? "" : one.reached ? "reached" : "MISSED")],
  ["", (one) => one.note ?? ""],
];

const fixed = (value) => (typeof value === "number" ? value.toFixed(2) : "");
const times = (value) => (typeof value === "number" ? `${value.toFixed(2)}x` : "");

/**
 * One row a guest, then the mean and the worst of the scalar ones; the SIMD guests apart. `median` is the median over
 * all pairs of metered by unmetered time, `best` the quotient of the two shortest times.
 */
export async function meteringTable({ quick, guests: chosen }) {
  const { warm, sweeps, rounds } = quick ? efforts.quick : efforts.whole;
  const wanted = guests.filter(({ name }) => chosen?.includes(name) ?? true);
  const subjects = [];
  for (const guest of wanted) subjects.push(await prepare(guest));
  for (let sweep = -warm; sweep < sweeps; sweep++) {
    for (const subject of subjects) {
      for (let round = 0; round < rounds; round++) await pair(subject, sweep >= 0, round % 2 === 0);
    }
  }
  const scalar = subjects.filter(({ guest }) => !guest.simd).map(rowOf);
  const simd = subjects.filter(({ guest }) => guest.simd).map(rowOf);
  const rows = [
    ...summed(scalar, "scalar", [`<= 1.15x`, 1.15], [`<= 1.6x`, 1.6]),
    ...summed(simd, "SIMD", [null, 0], [null, 0]),
  ];
  return { meterRevision, columns, rows };
}

async function prepare(guest) {
  const bytes = readGuest(guest.name);
  const sealed = sealModule(bytes, sealOptions);
  if (!sealed.ok) throw new Error(`${guest.name}: ${sealed.error.message}`);
  const [original, metered] = [await WebAssembly.compile(bytes), await WebAssembly.compile(sealed.value.bytes)];
  const size = sealed.value.bytes.length / bytes.length;
  return { guest, original, metered, size, fuel: null, samples: { original: [], metered: [] } };
}

/** Runs both forms once; which goes first takes turns, for the second finds warmer caches and the first's garbage. */
async function pair(subject, keep, originalFirst) {
  const { guest, original, metered, samples } = subject;
  const first = await timed(originalFirst ? original : metered);
  const second = await timed(originalFirst ? metered : original);
  const [plain, counted] = originalFirst ? [first, second] : [second, first];
  if (!Object.is(plain.result, counted.result)) throw new Error(`${guest.name}: metering changed the result`);
  subject.fuel ??= counted.fuel;
  if (subject.fuel !== counted.fuel) throw new Error(`${guest.name}: fuel differs between runs`);
  if (!keep) return;
  samples.original.push(plain.ms);
  samples.metered.push(counted.ms);
}

/** Runs a fresh instance once; only the call is timed. */
async function timed(module) {
  const { exports } = await WebAssembly.instantiate(module, {});
  arm(exports, plenty);
  const { result, ms } = onProcessor(() => exports.run());
  return { result, ms, fuel: "exo:fuel" in exports ? Number(plenty - exports["exo:fuel"].value) : null };
}

/** Gives a sealed instance fuel and stack and starts it, as the sandbox does. An original has started already. */
export function arm(exports, fuel) {
  if (!("exo:fuel" in exports)) return;
  exports["exo:fuel"].value = fuel;
  exports["exo:stack"].value = 32_768;
  exports["exo:start"]?.();
}

function rowOf({ guest, samples, fuel, size }) {
  const ratio = median(samples.metered.map((ms, at) => ms / samples.original[at]));
  const best = Math.min(...samples.metered) / Math.min(...samples.original);
  const [unmetered, metered] = [median(samples.original), median(samples.metered)];
  const speed = fuel / Math.min(...samples.metered);
  const { name, language, kind } = guest;
  return row(name, { language, kind, unmetered, metered, ratio, best, fuel, speed, size, raw: samples });
}

/** The rows, and below them their geometric means and the worst. */
function summed(rows, what, [meanTarget, mean], [worstTarget, worst]) {
  if (rows.length === 0) return [];
  const over = (key, combine) => combine(rows.map((one) => one[key]));
  const most = (values) => Math.max(...values);
  const judged = (target, value, limit) => (target === null ? {} : { target, reached: value <= limit });
  const means = {
    ratio: over("ratio", geometricMean),
    best: over("best", geometricMean),
    size: over("size", geometricMean),
  };
  const tops = { ratio: over("ratio", most), best: over("best", most), size: over("size", most) };
  const speeds = rows.map(({ speed }) => speed);
  const note = `fuel/ms: the fastest burns ${(Math.max(...speeds) / Math.min(...speeds)).toFixed(1)} times the slowest`;
  return [
    ...rows,
    row(`geometric mean, ${rows.length} ${what}`, { ...means, ...judged(meanTarget, means.ratio, mean) }),
    row(`worst, ${what}`, { ...tops, speed: median(speeds), ...judged(worstTarget, tops.ratio, worst), note }),
  ];
}
