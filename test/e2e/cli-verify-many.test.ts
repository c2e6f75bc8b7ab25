import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redactBundle } from "../../src/proof/redact.js";
import { type Bundles, makeBundles } from "../support/bundles.js";
import { Forge } from "../support/forge.js";
import { errorOf, jsonOf, NearShell, type Shell } from "./cli.js";

type Row = { path: string; result: string; hidden: unknown[]; wrong: { id: string; code: string; message: string }[] };

let shell: Shell;
let all: Bundles;
const trust = ["--trust", "trust.json"];

beforeAll(async () => {
  shell = new NearShell();
  all = await makeBundles();
  writeFileSync(shell.path("trust.json"), JSON.stringify(all.trust));
  mkdirSync(shell.path("good/deep/er"), { recursive: true });
  for (const [at, [ending, bytes]] of Object.entries(all.bytes).entries()) {
    writeFileSync(shell.path(["good", "good/deep", "good/deep/er"][at % 3] ?? "", `${ending}.proof.json`), bytes);
  }
  cpSync(shell.path("good"), shell.path("mixed"), { recursive: true });
  const mixed = (name: string, bytes: Uint8Array | string): void => writeFileSync(shell.path("mixed", name), bytes);
  mixed("hidden.proof.json", redactBundle(all.bytes.executed, { hide: ["output"] }).bytes);
  mixed("cut.proof.json", all.bytes.executed.subarray(0, 900));
  mixed("notes.json", "no bundle, and not of the name of one");
  mixed(".executed.proof.json.1-1.tmp", "half written");
  const future = new Forge(all.bytes.denied);
  future.predicate.revisions.meter = 99;
  mixed("future.proof.json", await future.pack());
  symlinkSync("nowhere", shell.path("mixed", "gone.proof.json"));
});
afterAll(() => shell.remove());

const rowsOf = (document: Record<string, unknown>): Row[] => document["files"] as Row[];
const results = (document: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(rowsOf(document).map(({ path, result }) => [path, result]));

describe("verify over a folder", () => {
  it("every bundle at any depth passes, in the order of their names, whatever the number of threads", async () => {
    const [one, three] = await Promise.all(
      ["1", "3"].map((jobs) => shell.exo(["verify", "good", ...trust, "--jobs", jobs, "--json"])),
    );
    expect(one?.stdout).toBe(three?.stdout);
    expect([one?.code, one?.stderr]).toEqual([0, ""]);
    const document = jsonOf(one as never);
    expect(document).toMatchObject({
      schema: "exoarmur.verification-batch/v1",
      trustMode: "pinned",
      result: "pass",
      counts: { pass: 12, fail: 0, unable: 0, unsupported_revision: 0 },
      notFollowed: [],
    });
    const paths = rowsOf(document).map(({ path }) => path);
    expect(paths).toEqual([...paths].sort());
    expect(paths).toContain("good/deep/er/executed.proof.json");
  });

  it("one failure outweighs all: mixed files, each with its own end", async () => {
    const ended = await shell.exo(["verify", "mixed", ...trust, "--json"]);
    expect([ended.code, ended.stderr]).toEqual([1, ""]);
    const document = jsonOf(ended);
    expect(document).toMatchObject({
      result: "fail",
      counts: { pass: 12, fail: 2, unable: 1, unsupported_revision: 1 },
    });
    expect(results(document)).toMatchObject({
      "mixed/cut.proof.json": "fail",
      "mixed/gone.proof.json": "fail",
      "mixed/hidden.proof.json": "unable",
      "mixed/future.proof.json": "unsupported_revision",
    });
    expect(rowsOf(document).find(({ path }) => path.endsWith("gone.proof.json"))?.wrong).toEqual([
      { id: "file", state: "fail", code: "EXO_FILE", message: "does not exist" },
    ]);
    expect(rowsOf(document).find(({ path }) => path.endsWith("hidden.proof.json"))?.hidden).toEqual([
      { role: "output", cover: "salt", count: 1 },
    ]);
  });

  it("says for people what did not pass, worst first, and the sums", async () => {
    const { code, stdout } = await shell.exo(["verify", "mixed", ...trust]);
    const [cut, gone, future, hidden, empty, sums, limit] = stdout.split("\n");
    expect(cut).toMatch(/^fail {19}mixed\/cut\.proof\.json +format: EXO_JSON_\w+: /);
    expect(gone).toMatch(/^fail +mixed\/gone\.proof\.json +file: EXO_FILE: does not exist$/);
    expect(future).toMatch(
      /^unsupported_revision {3}mixed\/future\.proof\.json +revisions: EXO_REVISION: meter revision 99/,
    );
    expect(hidden).toMatch(/^unable +mixed\/hidden\.proof\.json +hidden: output 1; 2 checks could not be made$/);
    expect(empty).toBe("");
    expect(sums).toBe(
      "fail   pinned   16 files   12 passed, 1 could not be checked, 1 of a revision this build does not know, 2 failed",
    );
    expect(limit).toMatch(/^A pass does not prove/);
    expect(code).toBe(1);
  });

  it("exit code 6 where nothing failed and something could not be checked", async () => {
    const { code, stdout } = await shell.exo(["verify", "mixed/hidden.proof.json", "good", ...trust]);
    expect(stdout).toMatch(/^unable {3}pinned {3}13 files {3}12 passed, 1 could not be checked$/m);
    expect(code).toBe(6);
  });

  it("several files, a disclosed call's error among them, count once each however often they are named", async () => {
    const file = "good/executed.proof.json";
    const name = rowsOf(jsonOf(await shell.exo(["verify", "good", "good", "./good/deep", "--json"]))).length;
    expect(name).toBe(12);
    const { code, stdout } = await shell.exo(["verify", "nowhere.proof.json", "trust.json", `good/../${file}`]);
    expect(stdout).toMatch(/^fail {3}self-check only {3}3 files {3}/m);
    expect(stdout).toContain("No trust file was given");
    expect(code).toBe(1);
  });

  it("follows no link to a folder, says so, and so ends in a circle of links", async () => {
    mkdirSync(shell.path("loop/sub"), { recursive: true });
    linkSync(shell.path("good/denied.proof.json"), shell.path("loop/sub/a.proof.json"));
    symlinkSync("../../loop", shell.path("loop/sub/back"));
    symlinkSync("self", shell.path("loop/self"));
    symlinkSync("../good", shell.path("loop/out.proof.json"));
    symlinkSync("sub/a.proof.json", shell.path("loop/link.proof.json"));
    const json = jsonOf(await shell.exo(["verify", "loop", ...trust, "--json"]));
    expect(results(json)).toEqual({ "loop/link.proof.json": "pass", "loop/sub/a.proof.json": "pass" });
    expect(json["notFollowed"]).toEqual(["loop/out.proof.json", "loop/sub/back"]);
    const { stdout, code } = await shell.exo(["verify", "loop", ...trust]);
    expect(stdout).toContain("not followed: loop/sub/back, a link to a folder\n");
    expect(code).toBe(0);
  });

  it("what is no plain file, and a folder that cannot be listed, fail and block nothing", async () => {
    mkdirSync(shell.path("odd/closed"), { recursive: true });
    execFileSync("mkfifo", [shell.path("odd/pipe.proof.json")]);
    chmodSync(shell.path("odd/closed"), 0);
    try {
      const json = jsonOf(await shell.exo(["verify", "odd", "--json"]));
      const root = process.getuid?.() === 0;
      const closed = root ? {} : { "odd/closed": "fail" };
      expect(results(json)).toEqual({ ...closed, "odd/pipe.proof.json": "fail" });
      expect(rowsOf(json).at(-1)?.wrong[0]).toMatchObject({
        code: "EXO_FILE",
        message: expect.stringMatching(/plain/),
      });
    } finally {
      chmodSync(shell.path("odd/closed"), 0o755);
      rmSync(shell.path("odd"), { recursive: true });
    }
  });

  it("thousands of files fit in a small heap, one at a time in each thread", async () => {
    mkdirSync(shell.path("crowd"));
    writeFileSync(shell.path("crowd/0000.proof.json"), "{}");
    writeFileSync(shell.path("crowd/big.proof.json"), Buffer.alloc(200_000, "x"));
    // Names of two files: 2,000 small ones, and 200 that are 40 MB together.
    for (let at = 1; at < 2000; at += 1) {
      linkSync(shell.path("crowd/0000.proof.json"), shell.path(`crowd/${at}.proof.json`));
    }
    for (let at = 1; at < 200; at += 1) {
      linkSync(shell.path("crowd/big.proof.json"), shell.path(`crowd/b${at}.proof.json`));
    }
    const env = { NODE_OPTIONS: "--max-old-space-size=32" };
    const { code, stdout, stderr } = await shell.exo(["verify", "crowd", ...trust, "--jobs", "2"], { env });
    expect([code, stderr]).toEqual([1, ""]);
    expect(stdout).toContain("... and 2,180 more; --json has all\n");
    expect(stdout).toMatch(/^fail {3}pinned {3}2,200 files {3}0 passed, 2,200 failed$/m);
    expect(stdout.split("\n").length).toBeLessThan(30);
  });

  it.each<[string, string[], number, string]>([
    ["an empty folder", ["verify", "data"], 1, "EXO_FILE"],
    ["standard input among files", ["verify", "-", "good"], 2, "EXO_USAGE"],
    ["no threads", ["verify", "good", "--jobs", "0"], 2, "EXO_USAGE"],
    ["too many threads", ["verify", "good", "--jobs", "65"], 2, "EXO_USAGE"],
    ["threads that are no number", ["verify", "good", "--jobs", "2x"], 2, "EXO_USAGE"],
    ["a trust file that is missing", ["verify", "good", "--trust", "nowhere.json"], 1, "EXO_FILE"],
  ])("refuses %s", async (_name, args, code, error) => {
    const ended = await shell.exo([...args, "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([code, error]);
  });
});

describe("redact at the terminal", () => {
  const bundle = "good/deep/er/executed.proof.json";

  it("writes what is left, and says what is hidden, what can be told and what cannot be checked", async () => {
    const { code, stdout, stderr } = await shell.exo(["redact", bundle, "-o", "r.proof.json", "--hide", "output"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^hidden {5}output 1 {3}salted, so not to be guessed\nreadable {3}output from input and host_call {3}running the plugin again on them gives it\nunable {5}materials, execution\nwritten {4}r\.proof\.json {3}[\d,]+ bytes\n$/,
    );
    const verified = await shell.exo(["verify", "r.proof.json", ...trust]);
    expect(verified.stdout).toMatch(/^hidden {5}output 1 {3}salted, so not to be guessed$/m);
    expect(verified.stdout).toMatch(
      /^unable {3}pinned {3}19 checks, 17 passed, 2 could not be made, 6 not applicable$/m,
    );
    expect(verified.code).toBe(6);
    const whole = await shell.exo(["verify", bundle, ...trust]);
    expect(whole.stdout).not.toMatch(/^hidden/m);
    expect(whole.code).toBe(0);
  });

  it("with --json, on standard output, and from standard input", async () => {
    const written = await shell.exo(["redact", bundle, "-o", "r.proof.json", "--hide", "output", "--json"]);
    expect(jsonOf(written)).toMatchObject({
      schema: "exoarmur.redacted/v1",
      path: "r.proof.json",
      hidden: [{ role: "output", cover: "salt", count: 1 }],
      readable: [{ role: "output", from: ["input", "host_call"] }],
      unable: ["materials", "execution"],
    });
    const input = readFileSync(shell.path(bundle));
    const piped = await shell.exo(["redact", "-", "-o", "-", "--hide", "output"], { input });
    expect(piped.stdout).toBe(shell.read("r.proof.json"));
  });

  it.each<[string, string[], number, string]>([
    ["nothing said", [bundle, "-o", "x.json"], 2, "EXO_USAGE"],
    ["both", [bundle, "-o", "x.json", "--hide", "output", "--keep", "input"], 2, "EXO_USAGE"],
    ["no place to write", [bundle, "--hide", "output"], 2, "EXO_USAGE"],
    ["two documents on standard output", [bundle, "-o", "-", "--hide", "output"], 2, "EXO_USAGE"],
    ["a role that must stay", [bundle, "-o", "x.json", "--hide", "manifest"], 1, "EXO_REDACT"],
    ["a role that is none", [bundle, "-o", "x.json", "--hide", "outputs"], 1, "EXO_REDACT"],
    ["a role it has not", [bundle, "-o", "x.json", "--hide", "preview"], 1, "EXO_REDACT"],
    ["the file itself", [bundle, "-o", bundle, "--hide", "output"], 1, "EXO_FILE"],
    ["no bundle", ["trust.json", "-o", "x.json", "--hide", "output"], 1, "EXO_JSON_NOT_CANONICAL"],
  ])("refuses %s", async (_name, args, code, error) => {
    const ended = await shell.exo(["redact", ...args, "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([code, error]);
    expect(shell.list(".")).not.toContain("x.json");
  });

  it("hands on nothing that is proven wrong", async () => {
    const forge = await new Forge(all.bytes.executed).payload("intent_received", (payload) => {
      payload.intentDigest = `sha256:${"0".repeat(64)}`;
    });
    writeFileSync(join(shell.cwd, "wrong.proof.json"), await forge.pack());
    const ended = await shell.exo(["redact", "wrong.proof.json", "-o", "x.json", "--hide", "output", "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_BUNDLE"]);
    expect(shell.list(".")).not.toContain("x.json");
  });
});
