/**
 * The demo of restrained autonomy as a user runs it, in a folder of its own: three runs alike to the byte for each of the
 * operator's decisions, a replay that verifies, and replays of an unknown stream and a tampered store that must not.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), "exoarmur-smoke-"));
const flags = ["V2_FEDERATION_ENABLED", "V2_CONTROL_PLANE_ENABLED", "V2_OPERATOR_APPROVAL_REQUIRED"];
const on = Object.fromEntries(flags.map((flag) => [`EXOARMUR_FLAG_${flag}`, "true"]));
const plain = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("EXOARMUR_")));

function run(args, env = {}) {
  const options = { cwd, encoding: "utf8", env: { ...plain, ...env } };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main, "demo", "restrained-autonomy", ...args],
    options,
  );
  return { status, stdout, stderr, lines: stdout.trimEnd().split("\n") };
}

function expect(holds, what, { status, stdout, stderr }) {
  console.log(`${holds ? "ok  " : "FAIL"}  ${what}`);
  if (!holds) throw new Error(`${what}: exit code ${status}\n${stdout}${stderr}`);
}

function expectReplay(id, verified, what) {
  const replayed = run(["--replay", id]);
  const good = replayed.status === (verified ? 0 : 1) && replayed.lines.at(-1) === `REPLAY_VERIFIED=${verified}`;
  expect(good, `${what}: REPLAY_VERIFIED=${verified}`, replayed);
}

/** Three runs of one decision; returns the audit stream's id. */
function play(args, result, executed) {
  const runs = [0, 1, 2].map(() => {
    const ended = run(args, on);
    const [name] = readdirSync(join(cwd, ".exoarmur/demo/bundles"));
    return { ...ended, bundle: readFileSync(join(cwd, ".exoarmur/demo/bundles", name), "latin1") };
  });
  const [first] = runs;
  const [said, did, stream = ""] = first.lines.slice(-3);
  const good = first.status === 0 && said === `DEMO_RESULT=${result}` && did === `ACTION_EXECUTED=${executed}`;
  expect(good && /^AUDIT_STREAM_ID=det-[0-9a-f]{32}$/.test(stream), `${result}, executed ${executed}`, first);
  const same = runs.every(({ stdout, bundle }) => stdout === first.stdout && bundle === first.bundle);
  expect(same, "three runs have the same output and the same bundle", runs.at(-1));
  return stream.slice("AUDIT_STREAM_ID=".length);
}

try {
  const off = run(["--operator-decision", "approve"]);
  expect(off.status === 0 && flags.every((flag) => off.stdout.includes(flag)), "without its flags it names them", off);
  expectReplay(play([], "DENIED", false), true, "no decision, replayed");
  expectReplay(play(["--operator-decision", "deny"], "DENIED", false), true, "denied, replayed");
  const id = play(["--operator-decision", "approve"], "APPROVED", true);
  expectReplay(id, true, "approved, replayed with the endpoint gone");
  expectReplay("det-00000000000000000000000000000000", false, "an unknown stream");
  const name = "endpoint-demo-001";
  const store = join(cwd, ".exoarmur/demo/data/data.mdb");
  const bytes = readFileSync(store);
  // Everywhere: pages that a later commit replaced still lie in the file.
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) bytes[at] ^= 1;
  writeFileSync(store, bytes);
  expectReplay(id, false, "a store in which a name was changed");
} finally {
  rmSync(cwd, { recursive: true, force: true });
}
