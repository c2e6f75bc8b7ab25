// Sets result files of main.mjs side by side: meter revisions, versions of Node, flags.
//
//   node scripts/bench/compare.mjs FILE...     guests by files, median and best ratio; kernels by files, fuel/ms
//
// One meter revision must charge a guest the same fuel everywhere; where two files disagree it says so and exits 1.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { figure, render } from "./table.mjs";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: compare.mjs FILE...");
  process.exit(2);
}
const runs = files.map((file) => ({ file: basename(file, ".json"), ...JSON.parse(readFileSync(file, "utf8")) }));
for (const { file, machine, sections, loadBefore } of runs) {
  const revision = sections.metering === undefined ? "" : `, meter revision ${sections.metering.meterRevision}`;
  console.log(`${file}: Node ${[machine.node, ...machine.flags].join(" ")}${revision}, load ${loadBefore.toFixed(1)}`);
}

/** Rows of a section by name, each with its row of every run or undefined. */
function joined(section) {
  const names = new Set(runs.flatMap(({ sections }) => sections[section]?.rows.map(({ name }) => name) ?? []));
  const find = ({ sections }, name) => sections[section]?.rows.find((one) => one.name === name);
  return [...names].map((name) => ({ name, found: runs.map((run) => find(run, name)) }));
}

const name = ["", (one) => one.name];
const columnsOf = (show) => runs.map(({ file }, at) => [file, (one) => show(one.found[at] ?? {}), "right"]);
const ratios = (one) => (typeof one.ratio === "number" ? `${one.ratio.toFixed(2)} ${one.best.toFixed(2)}` : "");
const speeds = (one) => (typeof one.speed === "number" ? figure(one.speed) : "");

for (const [section, title, show] of [
  ["metering", "Metered by unmetered time, median and best", ratios],
  ["fuel", "Fuel in a millisecond", speeds],
]) {
  const rows = joined(section);
  if (rows.length > 0) console.log(render(title, rows, [name, ...columnsOf(show)]));
}

const charged = new Map();
for (const { file, sections } of runs) {
  for (const { name: guest, fuel } of sections.metering?.rows ?? []) {
    if (typeof fuel !== "number") continue;
    const key = `${guest} under meter revision ${sections.metering.meterRevision}`;
    const before = charged.get(key) ?? { file, fuel };
    charged.set(key, before);
    if (before.fuel === fuel) continue;
    console.error(`${key}: ${before.fuel} fuel in ${before.file}, ${fuel} in ${file}`);
    process.exitCode = 1;
  }
}
