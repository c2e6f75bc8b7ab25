import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CliContext } from "../../src/cli/context.js";
import { runCli } from "../../src/cli/program.js";
import { parseVkey } from "../../src/crypto/note-key.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { openCheckpoint, readCheckpoint } from "../../src/log/checkpoint.js";
import { parseHashLines } from "../../src/log/hash-lines.js";
import { verifyConsistency } from "../../src/log/tree.js";
import { systemClock } from "../../src/runtime/system.js";
import { type Ended, errorOf, jsonOf, Shell, statsIntent } from "./cli.js";

let shell: Shell;
let other: Shell;
/** Sizes of the log after the first run and now. */
let before = 0;
let now = 0;
let vkey = "";

const trust = ["--trust", ".exoarmur/trust.json"];
const witness = (checkpoint: string, ...more: string[]): string[] => {
  return ["log", "witness", checkpoint, "--key", "witness.key", "--state", "state", ...more];
};

beforeAll(async () => {
  shell = new Shell();
  await shell.exo(["init"]);
  await shell.run(statsIntent);
  shell.write("before.txt", (await shell.exo(["log", "checkpoint"])).stdout);
  await shell.exo(["log", "export", "public"]);
  other = new Shell(shell);
  await shell.run(statsIntent);
  await other.run({ ...statsIntent, actor: "somebody-else" });
  shell.write("now.txt", (await shell.exo(["log", "checkpoint"])).stdout);
  shell.write("fork.txt", (await other.exo(["log", "checkpoint"])).stdout);
  before = readCheckpoint(shell.read("before.txt")).size;
  now = readCheckpoint(shell.read("now.txt")).size;
  vkey = String(jsonOf(await shell.exo(["log", "checkpoint", "--json"]))["vkey"]);
  await shell.exo(["keys", "new", "--role", "witness", "--id", "witness.example/w1", "-o", "witness.key"]);
});
afterAll(() => {
  shell.remove();
  other.remove();
});

/** Runs a command in this process, which is many times faster than a process of its own. */
async function exo({ cwd }: Shell, args: readonly string[]): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  const context: CliContext = {
    stdout: (text) => {
      written.stdout += typeof text === "string" ? text : new TextDecoder().decode(text);
    },
    stderr: (text) => {
      written.stderr += text;
    },
    readStdin: () => Promise.resolve(new Uint8Array(0)),
    ask: () => Promise.reject(new Error("not asked")),
    askSecret: () => Promise.reject(new Error("not asked")),
    cwd,
    env: {},
    isTTY: { stdin: false, stdout: false, stderr: false },
    clock: systemClock,
    entropy: systemEntropy,
    elapsed: () => 0,
    signal: new AbortController().signal,
    exit: { code: 0 },
  };
  const code = await runCli(args, context);
  return { code, ...written };
}

describe("log consistency at the terminal", () => {
  it("prints a proof that leads from one checkpoint to the next", async () => {
    const { code, stdout } = await exo(shell, ["log", "consistency", `${before}`, `${now}`]);
    const [old, new_] = [readCheckpoint(shell.read("before.txt")), readCheckpoint(shell.read("now.txt"))];
    const claim = { oldSize: old.size, newSize: new_.size, oldRoot: old.root, newRoot: new_.root };
    expect(verifyConsistency({ ...claim, proof: parseHashLines(stdout) })).toBe(true);
    expect(code).toBe(0);
    const written = await exo(shell, ["log", "consistency", `${before}`, `${now}`, "-o", "proof.txt", "--json"]);
    expect(shell.read("proof.txt")).toBe(stdout);
    expect(jsonOf(written)).toEqual({
      schema: "exoarmur.log-consistency/v1",
      oldSize: before,
      newSize: now,
      hashes: stdout.split("\n").length - 1,
      path: "proof.txt",
    });
    const same = await exo(shell, ["log", "consistency", `${now}`, `${now}`]);
    expect([same.code, same.stdout]).toEqual([0, ""]);
  });

  it.each<[string, () => string[], number, string]>([
    ["from the empty log", () => ["0", `${now}`], 1, "EXO_LOG_RANGE"],
    ["backwards", () => [`${now}`, `${before}`], 1, "EXO_LOG_RANGE"],
    ["beyond the log", () => ["1", `${now + 1}`], 1, "EXO_LOG_RANGE"],
    ["a negative size", () => ["--", "-1", "2"], 2, "EXO_USAGE"],
    ["a leading zero", () => ["01", "2"], 2, "EXO_USAGE"],
    ["one size", () => ["1"], 2, "missing required argument 'new'"],
    ["a report and a proof on one stream", () => ["1", "2", "--json"], 2, "EXO_USAGE"],
  ])("refuses %s", async (_name, args, exit, message) => {
    const { code, stdout, stderr } = await exo(shell, ["log", "consistency", ...args()]);
    expect(code).toBe(exit);
    expect(stdout + stderr).toContain(message);
  });
});

describe("log export and log check --dir at the terminal", () => {
  it("writes, grows and is audited without the home", async () => {
    const first = await exo(shell, ["log", "check", "--dir", "public", ...trust]);
    expect(first.stdout).toMatch(/^pass {3}checkpoint signature +exoarmur\/local\/\S+$/m);
    expect(first.code).toBe(0);
    const { code, stdout } = await exo(shell, ["log", "export", "public"]);
    expect(stdout).toBe(`exported   public   entries ${before} to ${now}   3 files written\n`);
    expect(code).toBe(0);
    expect(shell.list("public")).toEqual(["checkpoint", "tile"]);
    expect(shell.read("public/checkpoint")).toBe(shell.read("now.txt"));
    const again = await exo(shell, ["log", "export", "public", "--json"]);
    expect(jsonOf(again)).toEqual({
      schema: "exoarmur.log-export/v1",
      origin: parseVkey(vkey).name,
      from: now,
      size: now,
      written: 0,
      path: "public",
    });
    const check = await exo(shell, [
      "log",
      "check",
      "--dir",
      "public",
      "--vkey",
      vkey,
      "--since",
      "before.txt",
      "--json",
    ]);
    expect(jsonOf(check)).toMatchObject({
      schema: "exoarmur.tiles-audit/v1",
      result: "pass",
      checkpoint: { size: now },
      entries: now,
      checks: [
        { id: "tiles", state: "pass" },
        { id: "signature", state: "pass" },
        { id: "since", state: "pass" },
        { id: "witnesses", state: "not_applicable" },
      ],
    });
    const keyless = await exo(shell, ["log", "check", "--dir", "public"]);
    expect(keyless.stdout).toMatch(/^n\/a {4}checkpoint signature +no key of the log was named: --vkey or --trust$/m);
    expect(keyless.code).toBe(0);
  });

  it("finds a flipped bit, a missing tile, a fork and a stranger's key", async () => {
    const tile = shell.path("public", "tile", "0", `000.p/${now}`);
    const bytes = readFileSync(tile);
    writeFileSync(
      tile,
      bytes.map((byte, at) => (at === 40 ? byte ^ 4 : byte)),
    );
    const flipped = await exo(shell, ["log", "check", "--dir", "public", ...trust]);
    expect(flipped.stdout).toMatch(/^fail {3}tiles and root recomputed +EXO_LOG_PROOF: The tile tile\/0\/000\.p/m);
    expect(flipped.code).toBe(1);
    rmSync(tile);
    expect((await exo(shell, ["log", "check", "--dir", "public", ...trust])).code).toBe(1);
    writeFileSync(tile, bytes);
    const fork = await exo(shell, ["log", "check", "--dir", "public", ...trust, "--since", "fork.txt"]);
    expect(fork.stdout).toMatch(/^fail {3}begins with the earlier checkpoint +EXO_LOG_FORK: /m);
    expect(fork.code).toBe(1);
    const stranger = new Shell();
    await exo(stranger, ["init"]);
    const foreign = ["--trust", stranger.path(".exoarmur/trust.json")];
    const untrusted = await exo(shell, ["log", "check", "--dir", "public", ...foreign]);
    expect(untrusted.stdout).toMatch(/^fail {3}checkpoint signature +EXO_TRUST: /m);
    expect(untrusted.code).toBe(1);
    stranger.remove();
  });

  it("never overwrites the export of a fork, and asks for what it needs", async () => {
    const forked = await exo(other, ["log", "export", shell.path("public"), "--json"]);
    expect([forked.code, errorOf(forked)]).toEqual([1, "EXO_LOG_FORK"]);
    expect(shell.read("public/checkpoint")).toBe(shell.read("now.txt"));
    expect((await exo(shell, ["log", "check", "--dir", "public", ...trust])).code).toBe(0);
    const keyed = await exo(shell, ["log", "check", ...trust, "--json"]);
    expect([keyed.code, errorOf(keyed)]).toEqual([2, "EXO_USAGE"]);
    const both = await exo(shell, ["log", "check", "--dir", "public", "--home", ".exoarmur"]);
    expect(both.code).toBe(2);
    const none = await exo(shell, ["log", "check", "--dir", "nowhere"]);
    expect(none.code).toBe(1);
    expect(none.stdout).toContain("EXO_NOTE: There is no checkpoint");
    const empty = new Shell();
    await exo(empty, ["init"]);
    const unwritten = await exo(empty, ["log", "export", "public", "--json"]);
    expect([unwritten.code, errorOf(unwritten)]).toEqual([1, "EXO_LOG_RANGE"]);
    expect(empty.list(".")).not.toContain("public");
    empty.remove();
  });
});

describe("log check --since at the terminal", () => {
  it("passes for what this log published", async () => {
    const { code, stdout } = await exo(shell, ["log", "check", "--since", "before.txt"]);
    expect(stdout).toMatch(new RegExp(`^pass   begins with the earlier checkpoint +${before} leaves, as then$`, "m"));
    expect(code).toBe(0);
  });

  it("fails for a fork, a rolled back store, another log and a forged checkpoint", async () => {
    const ends = async (at: Shell, file: string): Promise<unknown> => {
      const ended = await exo(at, ["log", "check", "--since", file, "--json"]);
      const { result, checks } = jsonOf(ended) as { result: string; checks: { id: string; code?: string }[] };
      return [ended.code, result, checks.find(({ id }) => id === "since")?.code];
    };
    expect(await ends(shell, "fork.txt")).toEqual([1, "fail", "EXO_LOG_FORK"]);
    shell.write("forged.txt", shell.read("before.txt").replace(`\n${before}\n`, `\n${before + 1}\n`));
    expect(await ends(shell, "forged.txt")).toEqual([1, "fail", "EXO_SIGNATURE"]);
    shell.write("garbled.txt", "x");
    expect(await ends(shell, "garbled.txt")).toEqual([1, "fail", "EXO_NOTE"]);
    await other.run(statsIntent);
    other.write("later.txt", (await exo(other, ["log", "checkpoint"])).stdout);
    expect(await ends(shell, other.path("later.txt"))).toEqual([1, "fail", "EXO_STORE_ROLLED_BACK"]);
    const missing = await exo(shell, ["log", "check", "--since", "nothing.txt", "--json"]);
    expect([missing.code, errorOf(missing)]).toEqual([1, "EXO_FILE"]);
  });
});

describe("log witness at the terminal", () => {
  it("cosigns a log as it grows, and verify counts it", async () => {
    const first = await exo(shell, witness("before.txt", "--first", "--vkey", vkey));
    expect(first.stderr).toBe("");
    expect(first.stdout.startsWith(shell.read("before.txt"))).toBe(true);
    expect(shell.read("state")).toBe(first.stdout);
    shell.write("proof.txt", (await exo(shell, ["log", "consistency", `${before}`, `${now}`])).stdout);
    const next = await exo(shell, witness("now.txt", "--proof", "proof.txt", ...trust, "--json"));
    expect(next.code).toBe(0);
    const { checkpoint, vkey: key, size } = jsonOf(next) as { checkpoint: string; vkey: string; size: number };
    expect(size).toBe(now);
    expect(shell.read("state")).toBe(checkpoint);
    expect(openCheckpoint(checkpoint, [key]).signatures.map(({ name }) => name)).toEqual(["witness.example/w1"]);
    shell.write("public/checkpoint", checkpoint);
    const witnesses = { threshold: 1, vkeys: [key] };
    const file = JSON.parse(shell.read(".exoarmur/trust.json")) as Record<string, unknown>;
    shell.write("witnessed.json", JSON.stringify({ ...file, witnesses }));
    const check = await exo(shell, ["log", "check", "--dir", "public", "--trust", "witnessed.json"]);
    expect(check.stdout).toMatch(/^pass {3}witness quorum +1 of 1 witnesses$/m);
    expect(check.code).toBe(0);
    shell.write("public/checkpoint", shell.read("now.txt"));
    const unseen = await exo(shell, ["log", "check", "--dir", "public", "--trust", "witnessed.json"]);
    expect(unseen.stdout).toMatch(/^fail {3}witness quorum +EXO_SIGNATURE: /m);
    expect(unseen.code).toBe(1);
  });

  it.each<[string, string, string[], number, string]>([
    ["a rollback", "before.txt", trust, 1, "EXO_LOG_FORK"],
    ["a fork of the same size", "fork.txt", trust, 1, "EXO_LOG_FORK"],
    ["a second beginning", "now.txt", ["--first", ...trust], 1, "EXO_FILE"],
    ["no key of the log", "now.txt", [], 2, "EXO_USAGE"],
    ["a garbled verifier key", "now.txt", ["--vkey", "x"], 1, "EXO_KEY"],
    ["a forged checkpoint", "forged.txt", trust, 1, "EXO_SIGNATURE"],
    ["a proof where there is none", "now.txt", ["--proof", "proof.txt", ...trust], 1, "EXO_LOG_PROOF"],
    ["a proof that is none", "now.txt", ["--proof", "now.txt", ...trust], 1, "EXO_LOG_PROOF"],
    ["a key of another role", "now.txt", ["--key", ".exoarmur/keys/log.key", ...trust], 1, "EXO_KEY"],
  ])("refuses %s, and its state stays", async (_name, file, more, exit, code) => {
    const state = shell.read("state");
    const ended = await exo(shell, witness(file, ...more, "--json"));
    expect([ended.code, errorOf(ended)]).toEqual([exit, code]);
    expect(shell.read("state")).toBe(state);
    expect(shell.list(".")).not.toContain("state.lock");
  });
});
