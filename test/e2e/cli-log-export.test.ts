import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatVkey, noteKey, parseVkey } from "../../src/crypto/note-key.js";
import { openCheckpoint, readCheckpoint } from "../../src/log/checkpoint.js";
import { parseHashLines } from "../../src/log/hash-lines.js";
import { verifyConsistency } from "../../src/log/tree.js";
import { otherSigner, VKEY } from "../log/fixtures.js";
import { filesOf, logOf } from "../log/tree-of.js";
import { ending, errorOf, jsonOf, near, Shell, statsIntent } from "./cli.js";

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
  cpSync(shell.path("public"), shell.path("older"), { recursive: true });
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

describe("log consistency at the terminal", () => {
  it("prints a proof that leads from one checkpoint to the next", async () => {
    const { code, stdout } = await near(shell, ["log", "consistency", `${before}`, `${now}`]);
    const [old, new_] = [readCheckpoint(shell.read("before.txt")), readCheckpoint(shell.read("now.txt"))];
    const claim = { oldSize: old.size, newSize: new_.size, oldRoot: old.root, newRoot: new_.root };
    expect(verifyConsistency({ ...claim, proof: parseHashLines(stdout) })).toBe(true);
    expect(code).toBe(0);
    const written = await near(shell, ["log", "consistency", `${before}`, `${now}`, "-o", "proof.txt", "--json"]);
    expect(shell.read("proof.txt")).toBe(stdout);
    expect(jsonOf(written)).toEqual({
      schema: "exoarmur.log-consistency/v1",
      oldSize: before,
      newSize: now,
      hashes: stdout.split("\n").length - 1,
      path: "proof.txt",
    });
    const same = await near(shell, ["log", "consistency", `${now}`, `${now}`]);
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
    const { code, stdout, stderr } = await near(shell, ["log", "consistency", ...args()]);
    expect(code).toBe(exit);
    expect(stdout + stderr).toContain(message);
  });
});

describe("log export and log check --dir at the terminal", () => {
  it("writes, grows and is audited without the home", async () => {
    const first = await near(shell, ["log", "check", "--dir", "public", ...trust]);
    expect(first.stdout).toMatch(/^pass {3}checkpoint signature +exoarmur\/local\/\S+$/m);
    expect(first.code).toBe(0);
    const { code, stdout } = await near(shell, ["log", "export", "public"]);
    expect(stdout).toBe(`exported   public   entries ${before} to ${now}   3 files written\n`);
    expect(code).toBe(0);
    expect(shell.list("public")).toEqual(["checkpoint", "tile"]);
    expect(shell.read("public/checkpoint")).toBe(shell.read("now.txt"));
    const again = await near(shell, ["log", "export", "public", "--json"]);
    expect(jsonOf(again)).toEqual({
      schema: "exoarmur.log-export/v1",
      origin: parseVkey(vkey).name,
      from: now,
      size: now,
      written: 0,
      path: "public",
    });
    const check = await near(shell, [
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
    const keyless = await near(shell, ["log", "check", "--dir", "public"]);
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
    const flipped = await near(shell, ["log", "check", "--dir", "public", ...trust]);
    expect(flipped.stdout).toMatch(/^fail {3}tiles and root recomputed +EXO_LOG_PROOF: The tile tile\/0\/000\.p/m);
    expect(flipped.code).toBe(1);
    rmSync(tile);
    expect((await near(shell, ["log", "check", "--dir", "public", ...trust])).code).toBe(1);
    writeFileSync(tile, bytes);
    const fork = await near(shell, ["log", "check", "--dir", "public", ...trust, "--since", "fork.txt"]);
    expect(fork.stdout).toMatch(/^fail {3}begins with the earlier checkpoint +EXO_LOG_FORK: /m);
    expect(fork.code).toBe(1);
    const stranger = new Shell();
    await near(stranger, ["init"]);
    const foreign = ["--trust", stranger.path(".exoarmur/trust.json")];
    const untrusted = await near(shell, ["log", "check", "--dir", "public", ...foreign]);
    expect(untrusted.stdout).toMatch(/^fail {3}checkpoint signature +EXO_TRUST: /m);
    expect(untrusted.code).toBe(1);
    stranger.remove();
  });

  it("never overwrites the export of a fork, and asks for what it needs", async () => {
    const forked = await near(other, ["log", "export", shell.path("public"), "--json"]);
    expect([forked.code, errorOf(forked)]).toEqual([1, "EXO_LOG_FORK"]);
    expect(shell.read("public/checkpoint")).toBe(shell.read("now.txt"));
    expect((await near(shell, ["log", "check", "--dir", "public", ...trust])).code).toBe(0);
    const keyed = await near(shell, ["log", "check", ...trust, "--json"]);
    expect([keyed.code, errorOf(keyed)]).toEqual([2, "EXO_USAGE"]);
    const both = await near(shell, ["log", "check", "--dir", "public", "--home", ".exoarmur"]);
    expect(both.code).toBe(2);
    const none = await near(shell, ["log", "check", "--dir", "nowhere"]);
    expect(none.code).toBe(1);
    expect(none.stdout).toContain("EXO_NOTE: There is no checkpoint");
    const empty = new Shell();
    await near(empty, ["init"]);
    const unwritten = await near(empty, ["log", "export", "public", "--json"]);
    expect([unwritten.code, errorOf(unwritten)]).toEqual([1, "EXO_LOG_RANGE"]);
    expect(empty.list(".")).not.toContain("public");
    empty.remove();
  });
});

describe("log check --since at the terminal", () => {
  it("passes for what this log published", async () => {
    const { code, stdout } = await near(shell, ["log", "check", "--since", "before.txt"]);
    expect(stdout).toMatch(new RegExp(`^pass   begins with the earlier checkpoint +${before} leaves, as then$`, "m"));
    expect(code).toBe(0);
  });

  it("fails for a fork, a rolled back store, another log and a forged checkpoint", async () => {
    const ends = async (at: Shell, file: string): Promise<unknown> => {
      const ended = await near(at, ["log", "check", "--since", file, "--json"]);
      const { result, checks } = jsonOf(ended) as { result: string; checks: { id: string; code?: string }[] };
      return [ended.code, result, checks.find(({ id }) => id === "since")?.code];
    };
    expect(await ends(shell, "fork.txt")).toEqual([1, "fail", "EXO_LOG_FORK"]);
    shell.write("forged.txt", shell.read("before.txt").replace(`\n${before}\n`, `\n${before + 1}\n`));
    expect(await ends(shell, "forged.txt")).toEqual([1, "fail", "EXO_SIGNATURE"]);
    shell.write("garbled.txt", "x");
    expect(await ends(shell, "garbled.txt")).toEqual([1, "fail", "EXO_NOTE"]);
    await other.run(statsIntent);
    other.write("later.txt", (await near(other, ["log", "checkpoint"])).stdout);
    expect(await ends(shell, other.path("later.txt"))).toEqual([1, "fail", "EXO_STORE_ROLLED_BACK"]);
    const missing = await near(shell, ["log", "check", "--since", "nothing.txt", "--json"]);
    expect([missing.code, errorOf(missing)]).toEqual([1, "EXO_FILE"]);
  });
});

describe("log witness at the terminal", () => {
  it("cosigns a log as it grows, and verify counts it", async () => {
    const first = await near(shell, witness("before.txt", "--first", "--vkey", vkey));
    expect(first.stderr).toBe("");
    expect(first.stdout.startsWith(shell.read("before.txt"))).toBe(true);
    expect(shell.read("state")).toBe(first.stdout);
    shell.write("proof.txt", (await near(shell, ["log", "consistency", `${before}`, `${now}`])).stdout);
    const next = await near(shell, witness("now.txt", "--proof", "proof.txt", ...trust, "--json"));
    expect(next.code).toBe(0);
    const { checkpoint, vkey: key, size } = jsonOf(next) as { checkpoint: string; vkey: string; size: number };
    expect(size).toBe(now);
    expect(shell.read("state")).toBe(checkpoint);
    expect(openCheckpoint(checkpoint, [key]).signatures.map(({ name }) => name)).toEqual(["witness.example/w1"]);
    shell.write("public/checkpoint", checkpoint);
    const witnesses = { threshold: 1, vkeys: [key] };
    const file = JSON.parse(shell.read(".exoarmur/trust.json")) as Record<string, unknown>;
    shell.write("witnessed.json", JSON.stringify({ ...file, witnesses }));
    const check = await near(shell, ["log", "check", "--dir", "public", "--trust", "witnessed.json"]);
    expect(check.stdout).toMatch(/^pass {3}witness quorum +1 of 1 witnesses$/m);
    expect(check.code).toBe(0);
    shell.write("public/checkpoint", shell.read("now.txt"));
    const unseen = await near(shell, ["log", "check", "--dir", "public", "--trust", "witnessed.json"]);
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
    const ended = await near(shell, witness(file, ...more, "--json"));
    expect([ended.code, errorOf(ended)]).toEqual([exit, code]);
    expect(shell.read("state")).toBe(state);
    expect(shell.list(".")).not.toContain("state.lock");
  });
});

describe("log import and proofs from its mirror at the terminal", () => {
  const take = (from: string, ...more: string[]): string[] => ["log", "import", from, "--into", "mirror", ...more];
  const stranger = (): string => formatVkey(noteKey(parseVkey(vkey).name, otherSigner.publicKey));

  beforeAll(async () => {
    await near(shell, ["log", "export", "shared"]);
    await near(other, ["log", "export", shell.path("forked")]);
    const witnesses = { threshold: 1, vkeys: [formatVkey(noteKey("w.example", otherSigner.publicKey, 4))] };
    shell.write("asks.json", JSON.stringify({ ...JSON.parse(shell.read(".exoarmur/trust.json")), witnesses }));
  });

  it("takes an export, grows with it, and proves what the home proves", async () => {
    const first = await near(shell, take("shared", ...trust));
    expect(first.stderr).toBe("");
    expect(first.stdout).toBe(`imported   ${parseVkey(vkey).name}   mirror   entries ${now}   3 files written\n`);
    const again = await near(shell, take("shared", "--vkey", vkey, "--json"));
    expect(jsonOf(again)).toEqual({
      schema: "exoarmur.log-import/v1",
      origin: parseVkey(vkey).name,
      from: now,
      size: now,
      written: 0,
      path: "mirror",
    });
    expect((await near(shell, ["log", "check", "--dir", "mirror", ...trust, "--since", "before.txt"])).code).toBe(0);
    for (const index of [0, 3, now - 1]) {
      const own = await near(shell, ["log", "prove", `${index}`]);
      const mirrored = await near(shell, ["log", "prove", `${index}`, "--dir", "mirror", ...trust]);
      expect([mirrored.code, mirrored.stdout]).toEqual([0, own.stdout]);
      expect(mirrored.stdout.startsWith("c2sp.org/tlog-proof@v1\n")).toBe(true);
    }
    for (const sizes of [
      ["1", `${now}`],
      [`${before}`, `${now}`],
      [`${before}`, `${before}`],
    ]) {
      const own = await near(shell, ["log", "consistency", ...sizes]);
      expect(await near(shell, ["log", "consistency", ...sizes, "--dir", "mirror"])).toEqual(own);
    }
    const written = await near(shell, ["log", "prove", "0", "--dir", "mirror", "-o", "entry.txt", "--json"]);
    expect(jsonOf(written)).toEqual({ schema: "exoarmur.log-proof/v1", index: 0, path: "entry.txt" });
  });

  it.each<[string, () => string[], number, string]>([
    ["an older export", () => take("older", ...trust), 1, "EXO_STORE_ROLLED_BACK"],
    ["a fork", () => take("forked", ...trust), 1, "EXO_LOG_FORK"],
    ["a folder that is no export", () => take("data", ...trust), 1, "EXO_NOTE"],
    ["an export without a witness that is asked for", () => take("shared", "--trust", "asks.json"), 1, "EXO_SIGNATURE"],
    ["an export without a key to judge it by", () => take("shared"), 2, "EXO_USAGE"],
    ["an export into nowhere", () => ["log", "import", "shared", ...trust], 2, "EXO_USAGE"],
  ])("refuses %s, and the mirror stays", async (_name, args, exit, code) => {
    const old = await near(shell, ["log", "check", "--dir", "mirror", "--json"]);
    const ended = await near(shell, [...args(), "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([exit, code]);
    expect(jsonOf(await near(shell, ["log", "check", "--dir", "mirror", "--json"]))).toEqual(jsonOf(old));
  });

  it.each<[string, () => string[], number, string]>([
    ["what an intent did", () => ["log", "prove", "01KA4X6F7J2Z8Q0V5N3T9RBCDE", "--dir", "mirror"], 2, "EXO_USAGE"],
    ["a host call", () => ["log", "prove", "1", "--call", "0", "--dir", "mirror"], 2, "EXO_USAGE"],
    ["an entry beyond the mirror", () => ["log", "prove", "100000", "--dir", "mirror"], 1, "EXO_LOG_RANGE"],
    ["a size beyond the mirror", () => ["log", "consistency", "1", "100000", "--dir", "mirror"], 1, "EXO_LOG_RANGE"],
    ["anything without a mirror", () => ["log", "prove", "0", "--dir", "nowhere"], 1, "EXO_NOTE"],
    ["anything by keys that belong to a mirror", () => ["log", "prove", "0", ...trust], 2, "EXO_USAGE"],
    [
      "a mirror and a home at once",
      () => ["log", "consistency", "1", "2", "--dir", "mirror", "--home", "x"],
      2,
      "EXO_USAGE",
    ],
    [
      "under a key that did not sign",
      () => ["log", "prove", "0", "--dir", "mirror", "--vkey", stranger()],
      1,
      "EXO_SIGNATURE",
    ],
  ])("does not prove %s", async (_name, args, exit, code) => {
    const ended = await near(shell, [...args(), "--out", "never.txt", "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([exit, code]);
    expect(shell.list(".")).not.toContain("never.txt");
  });

  it("killed in the middle leaves the mirror as it was or as it is to be, and the next completes it", async () => {
    const spread = async (size: number, into: string): Promise<void> => {
      for (const [path, bytes] of filesOf(await logOf(size))) {
        mkdirSync(dirname(shell.path(into, path)), { recursive: true });
        shell.write(join(into, path), bytes);
      }
    };
    await spread(300, "replica");
    await spread(5000, "large");
    const args = ["log", "import", "large", "--into", "replica", "--vkey", VKEY];
    const child = shell.start(args);
    const ended = ending(child);
    while (child.exitCode === null && !existsSync(shell.path("replica/tile/entries/002"))) await sleep(1);
    child.kill("SIGKILL");
    await ended;
    const found = jsonOf(await near(shell, ["log", "check", "--dir", "replica", "--vkey", VKEY, "--json"]));
    expect(found).toMatchObject({ result: "pass" });
    expect([300, 5000]).toContain(found["entries"]);
    expect((await near(shell, args)).stdout).toMatch(/ replica {3}entries (?:300 to )?5000 /);
    const completed = await near(shell, ["log", "check", "--dir", "replica", "--vkey", VKEY, "--json"]);
    expect(jsonOf(completed)).toMatchObject({ result: "pass", entries: 5000 });
    expect(shell.list("replica")).toEqual(["checkpoint", "tile"]);
  });
});
