/**
 * Grades a verifier by the conformance kit (spec/conformance.md): runs its command over every vector and compares what
 * it answers. Exit code 0 when all are right, 1 when one is not, 2 when nothing could be graded.
 *
 *   node scripts/conformance.mjs [--codes] [--only VERDICT] [--jobs N] [--timeout SECONDS] [--kit FOLDER] [--json] -- CMD ARGS...
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const verdicts = { accept: 0, reject: 1, indeterminate: 6 };
const maxOutput = 1 << 20;

class Unusable extends Error {}

function readOptions(argv) {
  const at = argv.indexOf("--");
  const command = at < 0 ? [] : argv.slice(at + 1);
  if (command.length === 0) throw new Unusable("expected -- and the verifier's command");
  const string = { type: "string" };
  const options = { codes: { type: "boolean" }, json: { type: "boolean" }, only: string, kit: string };
  const { values } = parseArgs({ args: argv.slice(0, at), options: { ...options, jobs: string, timeout: string } });
  const { only, jobs = String(availableParallelism()), timeout = "60" } = values;
  if (only !== undefined && !Object.hasOwn(verdicts, only)) throw new Unusable(`--only: no verdict ${only}`);
  for (const [name, text] of Object.entries({ jobs, timeout }))
    if (!/^[1-9]\d{0,4}$/.test(text)) throw new Unusable(`--${name}: expected a whole number from 1, got ${text}`);
  const kit = resolve(values.kit ?? fileURLToPath(new URL("../spec/vectors/conformance", import.meta.url)));
  return { ...values, command, kit, jobs: Number(jobs), timeoutMs: Number(timeout) * 1000 };
}

/** The vectors asked for. A file that is not what its name says would grade nobody. */
function readVectors({ kit, only }) {
  const { schema, vectors } = JSON.parse(readFileSync(join(kit, "manifest.json"), "utf8"));
  if (schema !== "exoarmur.conformance/v1") throw new Unusable(`${kit}: not a conformance kit`);
  const chosen = vectors.filter(({ verdict }) => only === undefined || verdict === only);
  if (chosen.length === 0) throw new Unusable(`${kit}: no vectors`);
  for (const path of new Set(chosen.flatMap(({ file, trust }) => [file, trust]))) {
    const digest = createHash("sha256")
      .update(readFileSync(join(kit, path)))
      .digest("hex");
    if (basename(path) !== `${digest.slice(0, 16)}.json`) throw new Unusable(`${path}: its bytes have another name`);
  }
  return chosen;
}

/** Runs the verifier on one vector: how it ended, and its output's end. */
function answerOf({ command, kit, timeoutMs }, { file, trust }) {
  const [program, ...args] = command;
  return new Promise((settle, reject) => {
    const stdio = ["ignore", "pipe", "ignore"];
    const child = spawn(program, [...args, join(kit, file), join(kit, trust)], { stdio });
    let output = "";
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
      // A grandchild may hold the pipe open.
      child.stdout.destroy();
    }, timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output = (output + text).slice(-maxOutput);
    });
    child.on("error", ({ message }) => {
      clearTimeout(timer);
      reject(new Unusable(`the verifier cannot be run: ${message}`));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      settle({ code, signal, late, output });
    });
  });
}

/** The object on the last line, or undefined. */
function lastLine(output) {
  try {
    const value = JSON.parse(output.trimEnd().split("\n").at(-1));
    const isAnswer = typeof value.verdict === "string" && Array.isArray(value.codes);
    return isAnswer && value.codes.every((code) => typeof code === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

const isSameSet = (a, b) => new Set(a).size === new Set(b).size && a.every((code) => b.includes(code));

/** What is wrong with an answer, in a few words; nothing when it is right. */
function faultOf(vector, { code, signal, late, output }, compareCodes) {
  if (late) return "no answer in time";
  if (signal !== null) return `ended by ${signal}`;
  const said = lastLine(output);
  if (said === undefined) return `exit code ${code}, and the last line is no answer`;
  if (!Object.hasOwn(verdicts, said.verdict)) return "the verdict is none of the three";
  if (verdicts[said.verdict] !== code) return `exit code ${code} under the verdict ${said.verdict}`;
  if (said.verdict !== vector.verdict) return `got ${said.verdict}`;
  if (compareCodes && !isSameSet(said.codes, vector.codes)) return `got codes ${said.codes.join(" ") || "none"}`;
  return undefined;
}

async function gradeAll(options, vectors) {
  const results = [];
  const queue = vectors.entries();
  const work = async () => {
    for (const [at, vector] of queue) {
      const answer = await answerOf(options, vector);
      const fault = faultOf(vector, answer, options.codes === true);
      results[at] = { ...vector, fault: fault ?? null, acceptedWrongly: fault === "got accept" };
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  return results;
}

function print(results) {
  for (const { file, verdict, codes, fault, about } of results.filter((result) => result.fault !== null))
    console.log(`FAIL  ${file}  expected ${[verdict, ...codes].join(" ")}, ${fault}   (${about})`);
  for (const verdict of Object.keys(verdicts)) {
    const of = results.filter((result) => result.verdict === verdict);
    const right = of.filter(({ fault }) => fault === null).length;
    if (of.length > 0) console.log(`${verdict.padEnd(14)}${String(right).padStart(4)} of ${of.length}`);
  }
  const right = results.filter(({ fault }) => fault === null).length;
  const wrongly = results.filter(({ acceptedWrongly }) => acceptedWrongly).length;
  const grade = right === results.length ? "conforms" : "does not conform";
  console.log(`${grade}: ${right} of ${results.length} vectors, ${wrongly} accepted that must not be`);
}

try {
  const options = readOptions(process.argv.slice(2));
  const results = await gradeAll(options, readVectors(options));
  if (options.json) console.log(JSON.stringify({ command: options.command, results }, null, 2));
  else print(results);
  process.exitCode = results.every(({ fault }) => fault === null) ? 0 : 1;
} catch (error) {
  console.error(`conformance: ${error.message}`);
  process.exit(2);
}
