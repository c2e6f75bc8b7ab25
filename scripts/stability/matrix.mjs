/** The corpus under every way to run and on every Node version, and what else must be the same there. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { differenceOf, differenceOfCases, readTree } from "./compare.mjs";
import { compilerInWorker } from "./compiler-probe.mjs";
import { binariesOf, unknownFlags, ways } from "./worlds.mjs";

const replayer = fileURLToPath(new URL("replay-digests.mjs", import.meta.url));
const entry = fileURLToPath(new URL("../stability.mjs", import.meta.url));
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Runs a binary and returns what it wrote to its output; rejects with all it said when it fails. */
export async function outputOf(binary, args, options = {}) {
  const child = spawn(binary, args, { timeout: 300_000, ...options, stdio: ["ignore", "pipe", "pipe"] });
  let [out, error] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (error += text));
  const status = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (status !== 0) throw new Error(`${binary} ${args.join(" ")} failed (${status})\n${out.slice(-2000)}${error}`);
  return out;
}

/**
 * Runs the corpus under every way on every binary, two at a time on two cores, and says what differs from the first.
 * `say` is told of every run. Returns the failures, each in one line or more.
 */
export async function runMatrix({ quick = false, binaries = binariesOf(), say = console.log } = {}) {
  const failures = [];
  const jobs = [];
  for (const binary of binaries) {
    for (const way of ways) {
      const unknown = unknownFlags(way, binary.flags);
      if (unknown.length === 0) jobs.push({ binary, way, label: `${binary.version} ${way.name}` });
      else if (way.asked) failures.push(`${binary.version} does not know ${unknown.join(" ")}`);
      else say(`left out: ${binary.version} ${way.name}, V8 does not know ${unknown.join(" ")}`);
    }
  }
  let first;
  await eachOf(jobs, async (job) => {
    const found = await playWay(job, quick);
    first ??= { ...found, label: job.label };
    const difference = found.failure ?? differenceOfCases(first.cases, found.cases);
    say(
      `${(found.digest ?? "").slice(7, 23).padEnd(16)}  ${difference === undefined ? "same" : "DIFFERS"}  ${job.label}`,
    );
    if (difference !== undefined) failures.push(`${job.label}: ${difference}`);
  });
  say(`${jobs.length} runs of ${Object.keys(first?.cases ?? {}).length} cases on ${binaries.length} Node versions`);
  return failures;
}

async function playWay({ binary, way }, quick) {
  const args = ["--no-warnings", ...way.flags, entry, "--corpus", "--json", ...(quick ? ["--quick"] : [])];
  if (way.workerStackMb !== undefined) args.push(`--worker-stack=${way.workerStackMb}`);
  try {
    if (way.compiler !== undefined) {
      const compiler = await compilerInWorker(way.flags, binary.path);
      if (compiler !== way.compiler) throw new Error(`${way.flags.join(" ")} gives ${compiler} inside workers`);
    }
    return JSON.parse(await outputOf(binary.path, args));
  } catch (error) {
    return { failure: error.message, cases: {} };
  }
}

/** The first job alone, for the others to be compared with, then as many at a time as there are cores. */
async function eachOf(jobs, work) {
  const [head, ...rest] = jobs;
  if (head !== undefined) await work(head);
  const lane = async () => {
    for (let job = rest.shift(); job !== undefined; job = rest.shift()) await work(job);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
}

/** Runs the scenarios of the gate on every binary; returns what differs from the first, in one line each. */
export async function compareScenarios(binaries = binariesOf()) {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-matrix-"));
  try {
    const trees = [];
    for (const { path, version } of binaries) {
      const out = join(folder, version);
      await outputOf(path, ["--no-warnings", entry, "--world", out, "0"]);
      trees.push({ version, tree: readTree(out) });
    }
    return trees.flatMap(({ version, tree }) => {
      const difference = tree.size === 0 ? "nothing was emitted" : differenceOf(trees[0].tree, tree);
      return difference === undefined ? [] : [`${version}: ${difference}`];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Records one bundle with the running Node and replays it on every binary; returns the failures. */
export async function replayEverywhere(binaries = binariesOf()) {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-matrix-"));
  try {
    const intent = { actor: "matrix", action: "table.stats", parameters: { path: "data/t.csv" } };
    const home = join(folder, "home");
    const options = { cwd: folder };
    await outputOf(process.execPath, [cli, "init", home], options);
    writeFileSync(join(folder, "data", "t.csv"), "id,amount\n1,0.1\n2,0.2\n3,x\n");
    writeFileSync(join(folder, "intent.json"), JSON.stringify(intent));
    await outputOf(process.execPath, [cli, "run", "intent.json", "--home", home], options);
    const [bundle] = readdirSync(join(home, "bundles"));
    const failures = [];
    for (const { path, version } of binaries) {
      const args = [cli, "replay", join(home, "bundles", bundle), "--trust", join(home, "trust.json"), "--json"];
      const { result } = JSON.parse(await outputOf(path, args, options));
      if (result !== "success") failures.push(`${version}: the replay is ${result}`);
    }
    return failures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a binary finds in bundle files under a trust file: the digest of each result by the bundle's name. */
export async function resultDigestsOn({ path }, trust, bundles) {
  return JSON.parse(await outputOf(path, ["--no-warnings", replayer, trust, ...bundles]));
}
