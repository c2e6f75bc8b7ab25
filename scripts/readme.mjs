/**
 * Runs what README.md and the chapters of spec/ show, and compares what it prints. `--write` puts the present output in
 * instead. `readme.mjs [--write] [PAGE...]`, all pages without a name.
 *
 * A block marked `console` holds commands after `$ ` with their output; all of a page run in order in one empty folder. A
 * comment `# exit N` says which exit code is expected, 0 without one. A block marked with a language and a path, such as
 * `json data/x.json`, is written to that file first. In README.md the block `js` is examples/quickstart.mjs, and the
 * block `text` after it is what the program prints while somebody approves in another process.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "dist", "cli", "main.js");
const scratch = mkdtempSync(join(tmpdir(), "exoarmur-readme-"));
const limitMs = 120_000;
const pages = ["README.md", "spec/write-an-executor.md"];

/** What differs from run to run, and what a page shows in its place. */
const volatile = [
  [/\bexoarmur-demo-[A-Za-z0-9]{6}\b/g, "exoarmur-demo-XXXXXX"],
  [/\b01[0-9A-HJKMNP-TV-Z]{24}\b/g, "01K5ZV8Q000000000000000000"],
  [/\b[0-9a-f]{64}\b/g, "0".repeat(64)],
  [/\b[0-9a-f]{32}\b/g, "0".repeat(32)],
  [/\b(exoarmur\/[a-z]+\/)[0-9a-f]{16}\b/g, `$1${"0".repeat(16)}`],
  [/\b\d+ ms\b/g, "38 ms"],
  // The timeline of a replay: its day, and the time of each step.
  [/^( {3})\d{4}-\d\d-\d\d(?= {3})/gm, "$12026-01-31"],
  [/^( {3})\d\d:\d\d:\d\d\.\d{3}(?= {3})/gm, "$109:05:00.000"],
  [/\bbyte \d+:/g, "byte 331039:"],
  [/\b(?<what>well formed +)\d+ bytes\b/g, "$<what>99,507 bytes"],
  [/\bV8 [\w.-]+/g, "V8 11.3"],
];

const placeholder = "01K5ZV8Q000000000000000000";

function settle(text) {
  const here = text.trimEnd().replaceAll(scratch, "/tmp");
  return volatile.reduce((settled, [pattern, shown]) => settled.replace(pattern, shown), here);
}

/** What the commands so far printed last: the request that waits, and the bundle that was written. */
const latest = { request: placeholder, bundle: placeholder };

/** A command with README's placeholders replaced by what was really printed. */
function fill(command) {
  return command
    .replace(`approve ${placeholder}`, `approve ${latest.request}`)
    .replace(`bundles/${placeholder}`, `bundles/${latest.bundle}`);
}

function remember(output) {
  latest.request = /approvals approve (01\w{24})/.exec(output)?.[1] ?? latest.request;
  latest.bundle = /bundles\/(01\w{24})/.exec(output)?.[1] ?? latest.bundle;
}

/** An environment in which `npx exoarmur` is the command as it was built here. */
function environment() {
  const bin = join(scratch, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "npx"), `#!/bin/sh\nshift\nexec "${process.execPath}" "${cli}" "$@"\n`);
  chmodSync(join(bin, "npx"), 0o755);
  return { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, TMPDIR: scratch };
}

/** Runs the commands of a block in a folder; gives them with what they print. */
function runConsole(block, env, cwd) {
  const shown = [];
  for (const line of block.split("\n").filter((one) => one.startsWith("$ "))) {
    const wanted = Number(/# exit (\d+)$/.exec(line)?.[1] ?? 0);
    const { stdout, stderr, status } = spawnSync("sh", ["-c", fill(line.slice(2))], {
      cwd,
      env,
      encoding: "utf8",
      timeout: limitMs,
    });
    if (status !== wanted) throw new Error(`${line}\nexpected exit ${wanted}, got ${status}\n${stdout}${stderr}`);
    remember(stdout);
    const output = settle(stdout + stderr);
    shown.push(output === "" ? line : `${line}\n${output}`);
  }
  return shown.join("\n\n");
}

/** Runs the quickstart and approves what it asks for as soon as it has asked. */
async function runProgram(env) {
  const cwd = join(scratch, "program");
  mkdirSync(join(cwd, "node_modules"), { recursive: true });
  symlinkSync(root, join(cwd, "node_modules", "exoarmur"), "dir");
  copyFileSync(join(root, "examples", "quickstart.mjs"), join(cwd, "quickstart.mjs"));
  spawnSync(process.execPath, [cli, "init"], { cwd, env });
  const rows = Array.from({ length: 2000 }, (_, row) => `${row},${(row * 1.25).toFixed(2)}`);
  writeFileSync(join(cwd, "data", "orders.csv"), `order,amount\n${rows.join("\n")}\n`);
  const program = spawn(process.execPath, ["quickstart.mjs"], { cwd, env, timeout: limitMs });
  let output = "";
  let approved = false;
  program.stderr.on("data", (chunk) => {
    output += String(chunk);
  });
  program.stdout.on("data", (chunk) => {
    output += String(chunk);
    const id = /approvals approve (\S+)/.exec(output)?.[1];
    if (id === undefined || approved) return;
    approved = true;
    spawn(process.execPath, [cli, "approvals", "approve", id], { cwd, env, stdio: "ignore", timeout: limitMs });
  });
  const code = await new Promise((resolve) => {
    program.on("close", resolve);
  });
  if (code !== 0) throw new Error(`examples/quickstart.mjs ended with ${code}\n${output}`);
  return settle(output);
}

/** Writes the files that a page shows and runs its commands, in order; gives the page with the present output. */
function runBlocks(page, before, env) {
  const cwd = join(scratch, page.replace(/\W/g, "-"));
  mkdirSync(cwd);
  return before.replace(/```(console|\w+ (\S+))\n([\s\S]*?)```/g, (whole, kind, file, block) => {
    if (kind === "console") return `\`\`\`console\n${runConsole(block, env, cwd)}\n\`\`\``;
    mkdirSync(dirname(join(cwd, file)), { recursive: true });
    writeFileSync(join(cwd, file), block);
    return whole;
  });
}

async function runQuickstart(page, env) {
  const program = readFileSync(join(root, "examples", "quickstart.mjs"), "utf8");
  const output = await runProgram(env);
  return page.replace(
    /```js\n[\s\S]*?```\n\n```text\n[\s\S]*?```/,
    () => `\`\`\`js\n${program}\`\`\`\n\n\`\`\`text\n${output}\n\`\`\``,
  );
}

async function runPage(page, env) {
  const file = join(root, page);
  const before = readFileSync(file, "utf8");
  let after = runBlocks(page, before, env);
  if (page === "README.md") after = await runQuickstart(after, env);
  if (process.argv.includes("--write")) writeFileSync(file, after);
  else if (after !== before) {
    const [had, has] = [before.split("\n"), after.split("\n")];
    const at = has.findIndex((line, index) => line !== had[index]);
    console.error(`${page}, line ${at + 1}, is not what happens\n  shown   ${had[at]}\n  printed ${has[at]}`);
    process.exitCode = 1;
    return;
  }
  console.log(`${page}: everything that it runs prints what it shows`);
}

try {
  const named = process.argv.slice(2).filter((argument) => argument !== "--write");
  const env = environment();
  for (const page of named.length === 0 ? pages : named) await runPage(page, env);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
