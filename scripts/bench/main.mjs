/**
 * The benchmarks: every figure beside a peer or a limit measured in the same run on the same machine.
 *
 *   node scripts/bench/main.mjs [--quick] [--only SECTION]... [--guest NAME]... [--json] [--out FILE]
 *
 * Prints tables, or with --json the raw numbers alone; either way the raw numbers are written to FILE, by default
 * bench-results.json, and compare.mjs sets such files side by side. --guest limits the sections metering and fuel to
 * some guests and kernels. A target that is missed is printed as such and is no failure of the program.
 *
 * A section loads what it needs only when it runs, so that `--only metering` wants dist and nothing of node_modules:
 * any Node can run it, with any flags.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { render } from "./table.mjs";

/** Each gives rows, or {rows, columns, ...} where the table has columns of its own or more is to be said. */
const sections = [
  {
    name: "memory",
    title: "One governed action in memory (echo of 64 bytes, 10 rules)",
    run: async (options) => (await import("./actions.mjs")).memoryRows(options),
  },
  {
    name: "durable",
    title: "One governed action on disk (LMDB, flushed, checkpointed)",
    run: async (options) => (await import("./actions.mjs")).durableRows(options),
  },
  {
    name: "metering",
    title: "Metering (fuel, stack and NaN)",
    run: async (options) => (await import("./metering.mjs")).meteringTable(options),
  },
  {
    name: "fuel",
    title: "Fuel burnt in a millisecond, by what a guest does",
    run: async (options) => (await import("./fuel.mjs")).fuelTable(options),
  },
  {
    name: "io",
    title: "Input and output of a guest through the kernel, eight bytes a call",
    run: async (options) => (await import("./io.mjs")).ioRows(options),
  },
  { name: "policy", title: "Policy", run: async (options) => (await import("./documents.mjs")).policyRows(options) },
  { name: "cedar", title: "Policy in Cedar", run: async (options) => (await import("./cedar.mjs")).cedarRows(options) },
  {
    name: "canonical",
    title: "Canonical JSON",
    run: async (options) => (await import("./documents.mjs")).canonicalRows(options),
  },
  { name: "log", title: "Log", run: async (options) => (await import("./log.mjs")).logRows(options) },
  {
    name: "proofs",
    title: "Proofs and replay",
    run: async (options) => (await import("./proofs.mjs")).proofRows(options),
  },
  { name: "startup", title: "Start-up", run: async (options) => (await import("./startup.mjs")).startupRows(options) },
];

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    guest: { type: "string", multiple: true },
    json: { type: "boolean", default: false },
    out: { type: "string", default: fileURLToPath(new URL("../../bench-results.json", import.meta.url)) },
  },
});
const unknown = (options.only ?? []).filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0) {
  console.error(`no section ${unknown.join(", ")}; there are ${sections.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const chosen = sections.filter(({ name }) => options.only?.includes(name) ?? true);
const { quick } = options;
const machine = {
  node: process.version,
  v8: process.versions.v8,
  flags: process.execArgv,
  cpu: cpus()[0]?.model ?? "?",
  cores: availableParallelism(),
};
const results = { machine, quick, loadBefore: loadavg()[0], sections: {} };
const say = (text) => {
  if (!options.json) console.log(text);
};
say(
  `Node ${[machine.node, ...machine.flags].join(" ")}, V8 ${machine.v8}, ${machine.cores} x ${machine.cpu}, load ${results.loadBefore.toFixed(1)}${quick ? ", quick" : ""}`,
);
for (const { name, title, run } of chosen) {
  const made = await run({ quick, guests: options.guest });
  const { columns, ...facts } = Array.isArray(made) ? { rows: made } : made;
  results.sections[name] = facts;
  say(render(title, facts.rows, columns));
}
const text = JSON.stringify(results, null, 1);
writeFileSync(options.out, `${text}\n`);
if (options.json) console.log(text);
say(`\nraw numbers: ${options.out}`);
