/**
 * The stability gate: the same scenarios and the short corpus, run in three fresh processes that differ in time zone,
 * locale, working folder, V8 compiler and the key order of every document handed in, must emit the same bytes.
 *
 *   node scripts/stability.mjs                    prints bytes, digest and `stable` per scenario; exit 1 at a difference
 *   node scripts/stability.mjs --matrix           the whole corpus under every way to run (stability/worlds.mjs) and on
 *                                                 the Node binaries that EXOARMUR_NODES names, as PATH does
 *   node scripts/stability.mjs --corpus           runs the corpus in this process and prints its digest; --json prints
 *                                                 every case, --quick leaves out the long ones, --worker-stack=MB sets
 *                                                 the native stack of the workers
 *   node scripts/stability.mjs --compare A B      names the first case and field in which two --json outputs differ
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import { differenceOf, differenceOfCases, readTree } from "./stability/compare.mjs";
import { compilerInWorker } from "./stability/compiler-probe.mjs";
import { compareScenarios, replayEverywhere, runMatrix } from "./stability/matrix.mjs";
import { digestOfCorpus, runCorpus } from "./stability/run-corpus.mjs";
import { runScenarios } from "./stability/run-scenarios.mjs";

const self = fileURLToPath(import.meta.url);

/** What the three processes differ in. `compiler` is what the V8 flags must make of a hot function inside a worker. */
const worlds = [
  { name: "first", zone: "UTC", locale: "C", flags: [], compiler: null, order: 0 },
  {
    name: "second",
    zone: "Asia/Kolkata",
    locale: "de_DE.UTF-8",
    flags: ["--liftoff-only"],
    compiler: "liftoff",
    order: 1,
  },
  {
    name: "third",
    zone: "America/St_Johns",
    locale: "tr_TR.UTF-8",
    flags: ["--no-liftoff"],
    compiler: "turbofan",
    order: 2,
  },
];

/** Runs one world in a fresh process; rejects with what it said when it fails. */
async function runWorld({ name, zone, locale, flags, order }, folder, cwd) {
  const env = { ...process.env, TZ: zone, LC_ALL: locale, LANG: locale, NODE_OPTIONS: "" };
  const args = [...flags, self, "--world", join(folder, "out", name), String(order)];
  const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const status = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (status !== 0) throw new Error(`the ${name} process failed (${status})\n${said}`);
}

/** True when the world's V8 flags choose the compiler inside worker threads too. */
async function flagsReachWorkers({ name, flags, compiler }) {
  if (compiler === null) return true;
  const found = await compilerInWorker(flags);
  console.log(`${name}: ${flags.join(" ")} gives ${found} inside workers`);
  return found === compiler;
}

function summaryOf(tree, scenario) {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const [path, content] of tree) {
    if (path.split("/")[0] !== scenario) continue;
    bytes += content.length;
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return { bytes, digest: hash.digest("hex").slice(0, 16) };
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-stability-"));
  try {
    const cwd = join(folder, "wörking folder");
    mkdirSync(cwd);
    const places = [fileURLToPath(new URL("..", import.meta.url)), parse(folder).root, cwd];
    const reached = await Promise.all(worlds.map(flagsReachWorkers));
    if (!reached.every(Boolean))
      throw new Error("V8 flags do not reach the workers: the comparison would show nothing");
    // All of them end before the folder goes, also when one fails.
    const ended = await Promise.allSettled(worlds.map((world, index) => runWorld(world, folder, places[index])));
    for (const end of ended) if (end.status === "rejected") throw end.reason;
    const trees = worlds.map(({ name }) => readTree(join(folder, "out", name)));
    const scenarios = [...new Set(trees.flatMap((tree) => [...tree.keys()].map((path) => path.split("/")[0])))].sort();
    let stable = true;
    for (const scenario of scenarios) {
      const difference = trees
        .slice(1)
        .map((tree) => differenceOf(trees[0], tree, `${scenario}/`))
        .find(Boolean);
      const { bytes, digest } = summaryOf(trees[0], scenario);
      console.log(`${scenario.padEnd(16)} ${String(bytes).padStart(9)} bytes  ${digest}  ${difference ?? "stable"}`);
      stable &&= difference === undefined;
    }
    console.log(stable ? `stable: ${scenarios.length} scenarios in ${worlds.length} processes` : "NOT STABLE");
    return stable && scenarios.length > 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One world in this process: the scenarios and the short corpus, one file for each case. */
async function playWorld(out, order) {
  await runScenarios(out, Number(order));
  const folder = join(out, "corpus");
  mkdirSync(folder);
  for (const [name, result] of Object.entries(await runCorpus({ quick: true }))) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(result));
  }
}

async function printCorpus(options) {
  const stack = options.find((option) => option.startsWith("--worker-stack="));
  const cases = await runCorpus({
    quick: options.includes("--quick"),
    ...(stack === undefined ? {} : { workerStackMb: Number(stack.replace(/.*=/, "")) }),
  });
  const digest = digestOfCorpus(cases);
  console.log(options.includes("--json") ? JSON.stringify({ digest, cases }) : digest);
  return 0;
}

function compareFiles([one, other]) {
  const [a, b] = [one, other].map((path) => JSON.parse(readFileSync(path, "utf8")).cases);
  const difference = differenceOfCases(a, b);
  console.log(difference ?? "no difference");
  return difference === undefined ? 0 : 1;
}

async function playMatrix(options) {
  const failures = [
    ...(await runMatrix({ quick: options.includes("--quick") })),
    ...(await compareScenarios()),
    ...(await replayEverywhere()),
  ];
  console.log(failures.length === 0 ? "the same everywhere" : failures.join("\n"));
  return failures.length === 0 ? 0 : 1;
}

const modes = {
  "--world": async ([out, order]) => playWorld(out, order).then(() => 0),
  "--corpus": printCorpus,
  "--compare": compareFiles,
  "--matrix": playMatrix,
};
const [mode, ...rest] = process.argv.slice(2);
if (mode !== undefined && !Object.hasOwn(modes, mode)) throw new Error(`expected ${Object.keys(modes).join(", ")}`);
process.exitCode = await (mode === undefined ? main() : modes[mode](rest));
