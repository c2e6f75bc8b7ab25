/**
 * The benchmarks: every figure beside a peer or a limit measured in the same run on the same machine.
 *
 *   node scripts/bench/main.mjs [--quick] [--only NAME]... [--json]
 *
 * Prints tables, or with --json the raw numbers alone; either way the raw numbers are written to bench-results.json.
 * A target that is missed is printed as such and is no failure of the program.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { durableRows, memoryRows } from "./actions.mjs";
import { canonicalRows, policyRows } from "./documents.mjs";
import { logRows } from "./log.mjs";
import { meteringRows } from "./metering.mjs";
import { proofRows } from "./proofs.mjs";
import { startupRows } from "./startup.mjs";
import { render } from "./table.mjs";

const sections = [
  { name: "memory", title: "One governed action in memory (echo of 64 bytes, 10 rules)", rows: memoryRows },
  { name: "durable", title: "One governed action on disk (LMDB, flushed, checkpointed)", rows: durableRows },
  { name: "metering", title: "Metering (fuel, stack and NaN)", rows: meteringRows },
  { name: "policy", title: "Policy", rows: policyRows },
  { name: "canonical", title: "Canonical JSON", rows: canonicalRows },
  { name: "log", title: "Log", rows: logRows },
  { name: "proofs", title: "Proofs and replay", rows: proofRows },
  { name: "startup", title: "Start-up", rows: startupRows },
];

const { values: options } = parseArgs({
  options: { quick: { type: "boolean" }, only: { type: "string", multiple: true }, json: { type: "boolean" } },
});
const unknown = (options.only ?? []).filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0) {
  console.error(`no section ${unknown.join(", ")}; there are ${sections.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const chosen = sections.filter(({ name }) => options.only?.includes(name) ?? true);
const quick = options.quick ?? false;
const machine = {
  node: process.version,
  v8: process.versions.v8,
  cpu: cpus()[0]?.model ?? "?",
  cores: availableParallelism(),
};
const results = { machine, quick, loadBefore: loadavg()[0], sections: {} };
const say = (text) => {
  if (!options.json) console.log(text);
};
say(
  `Node ${machine.node}, V8 ${machine.v8}, ${machine.cores} x ${machine.cpu}, load ${results.loadBefore.toFixed(1)}${quick ? ", quick" : ""}`,
);
for (const { name, title, rows } of chosen) {
  const made = await rows({ quick });
  results.sections[name] = made;
  say(render(title, made));
}
const file = fileURLToPath(new URL("../../bench-results.json", import.meta.url));
const text = JSON.stringify(results, null, 1);
writeFileSync(file, `${text}\n`);
if (options.json) console.log(text);
say(`\nraw numbers: ${file}`);
