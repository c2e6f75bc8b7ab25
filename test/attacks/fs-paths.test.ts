import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { type Broker, createBroker } from "../../src/capabilities/broker.js";
import { createFsPerformers } from "../../src/capabilities/performers/fs/files.js";
import { nativeStrategy } from "../../src/capabilities/performers/fs/folder.js";
import { type CapabilityName, capabilityEffects } from "../../src/contracts/imports.js";
import type { AbiValue } from "../../src/ports.js";
import { answerOf, callOf, calm, grantsOf, makeRoots } from "../capabilities/support.js";

const { base, data, outside } = makeRoots();
const secret = "TOP-SECRET";
const server = createServer();
const bytes = new TextEncoder().encode("changed");
const everyRoot = { roots: ["data", "linked", "readonly", "dev", "unconfigured"] };
const strategies = nativeStrategy() === "descriptors" ? (["descriptors", "paths"] as const) : (["paths"] as const);

beforeAll(async () => {
  mkdirSync(join(data, "in"));
  writeFileSync(join(data, "in/a.txt"), "inside");
  writeFileSync(join(outside, "secret.txt"), secret);
  symlinkSync(join(outside, "secret.txt"), join(data, "file-link"));
  symlinkSync("in/a.txt", join(data, "inner-link"));
  symlinkSync(outside, join(data, "dir-link"));
  symlinkSync("../outside", join(data, "relative-link"));
  symlinkSync("/", join(data, "root-link"));
  symlinkSync("loop", join(data, "loop"));
  symlinkSync(join(outside, "planted"), join(data, "dangling"));
  symlinkSync("/proc/self/environ", join(data, "environ"));
  symlinkSync(data, join(base, "link-to-data"));
  execFileSync("mkfifo", [join(data, "pipe")]);
  writeFileSync(join(data, "huge"), "");
  truncateSync(join(data, "huge"), 1_099_511_627_776);
  await new Promise<void>((resolve) => server.listen(join(data, "socket"), resolve));
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

function brokerFor(strategy: "descriptors" | "paths"): Broker {
  const roots = {
    data: { path: data, access: "write" },
    linked: { path: join(base, "link-to-data"), access: "write" },
    readonly: { path: data, access: "read" },
    ungranted: { path: outside, access: "write" },
    dev: { path: "/dev", access: "write" },
  } as const;
  return createBroker({
    grants: grantsOf({
      fs_read: everyRoot,
      fs_write: everyRoot,
      fs_list: everyRoot,
      fs_stat: everyRoot,
      fs_remove: everyRoot,
      fs_append: everyRoot,
      fs_mkdir: everyRoot,
      fs_rename: everyRoot,
    }),
    performers: createFsPerformers(roots, strategy),
    journal: () => Promise.resolve(),
    effectBase: digestOf(bytes),
  });
}

/** Every way to use a path: as what is acted on, and as where a file is to go. */
const uses: readonly (readonly [CapabilityName, (path: string) => Readonly<Record<string, AbiValue>>])[] = [
  ["fs_read", (path) => ({ path })],
  ["fs_list", (path) => ({ path })],
  ["fs_stat", (path) => ({ path })],
  ["fs_remove", (path) => ({ path })],
  ["fs_write", (path) => ({ path, bytes, mode: "replace" })],
  ["fs_append", (path) => ({ path, bytes })],
  ["fs_rename", (path) => ({ path, to: "data/in/free", mode: "create" })],
  ["fs_rename", (path) => ({ path, to: "data/in/free", mode: "replace" })],
  ["fs_rename", (path) => ({ path: "data/in/a.txt", to: path, mode: "create" })],
  ["fs_rename", (path) => ({ path: "data/in/a.txt", to: path, mode: "replace" })],
  ["fs_mkdir", (path) => ({ path })],
];
const capabilities = uses.map(([capability]) => capability);

/** Uses a path in every way: outcome and code of each, after checking that nothing was touched. */
async function attack(strategy: "descriptors" | "paths", path: string, some = uses): Promise<ReadonlySet<string>> {
  const broker = brokerFor(strategy);
  const ends = new Set<string>();
  for (const [seq, [capability, request]] of some.entries()) {
    const text = JSON.stringify(answerOf(await broker.call(callOf(seq, capability, request(path)), calm)));
    ends.add(`${broker.transcript()[seq]?.outcome} ${/EXO_\w+/.exec(text)?.[0] ?? ""}`);
    expect(text).not.toContain(secret);
    expect(text).not.toContain(base);
  }
  expect(broker.writes()).toBe("none");
  expect(readdirSync(outside)).toEqual(["secret.txt"]);
  expect(readdirSync(join(data, "in"))).toEqual(["a.txt"]);
  expect(readFileSync(join(outside, "secret.txt"), "utf8")).toBe(secret);
  expect(readFileSync(join(data, "in/a.txt"), "utf8")).toBe("inside");
  return ends;
}

/** All uses but that as a new directory, which a taken name refuses whatever it is. */
const asFile = uses.filter(([capability]) => capability !== "fs_mkdir");
const asChange = uses.filter(([capability]) => capabilityEffects[capability] === "write");
const asFolder = uses.filter(([capability]) => capability === "fs_mkdir");

describe.each(strategies)("a path of a hostile guest (%s)", (strategy) => {
  it.each([
    "data/..",
    "data/../outside/secret.txt",
    "data/in/../../outside/secret.txt",
    "../outside/secret.txt",
    "..",
    "/etc/passwd",
    "//etc/passwd",
    "/",
    "data//in/a.txt",
    "data/in/",
    "data/./in/a.txt",
    "data/in/a.txt/",
    "data/in/a.txt\0.csv",
    "\0",
    "data\\in\\a.txt",
    "data/..\\outside\\secret.txt",
    "data/in\u0001/a.txt",
    "data/in/a.txt\n",
    "C:/data/in/a.txt",
    "c:data",
    "data/.exoarmur/keys/runtime.key",
    "data/.ExoArmur/keys/runtime.key",
    "data/in/.exoarmur-write-0.tmp",
    "data/file-link",
    "data/inner-link",
    "data/dangling",
    "data/loop",
    "data/environ",
    "data/dir-link/secret.txt",
    "data/relative-link/secret.txt",
    "data/root-link/etc/passwd",
    "data/loop/x",
    "linked/dir-link/secret.txt",
  ])("%j is refused as a path by every capability", async (path) => {
    expect(await attack(strategy, path)).toEqual(new Set(["denied EXO_FS_PATH"]));
  });

  it.each([
    "ungranted/secret.txt",
    "ungranted",
    "unconfigured/a",
    "outside/secret.txt",
    "Data/in/a.txt",
    "ｄata/in/a.txt",
    "data\u0301/in/a.txt",
    " data/in/a.txt",
    "~/x",
    "%2e%2e/outside",
    "file:/etc/passwd",
  ])("%j is outside the grant", async (path) => {
    expect(await attack(strategy, path)).toEqual(new Set(["denied EXO_CAPABILITY_DENIED"]));
  });

  it.each(["data/dir-link", "data/relative-link", "data/root-link"])("%s leads nowhere", async (path) => {
    expect(await attack(strategy, path)).toEqual(new Set(["denied EXO_FS_PATH"]));
  });

  it.each(["data/pipe", "data/socket", "dev/null", "dev/zero", "dev/tty"])("%s is no file", async (path) => {
    expect(await attack(strategy, path, asFile)).toEqual(new Set(["error EXO_FS_KIND"]));
    expect(await attack(strategy, path, asFolder)).toEqual(new Set(["error EXO_FS_EXISTS"]));
  });

  it.each(["data/%2e%2e/outside", "data/in/a.txt ", "data/IN/a.txt", "data/in/..a", "data/…/x"])(
    "%j is a name like any other",
    async (path) => {
      const broker = brokerFor(strategy);
      await broker.call(callOf(0, "fs_read", { path }), calm);
      expect(JSON.stringify(answerOf(await broker.call(callOf(1, "fs_stat", { path }), calm)))).toMatch(
        /EXO_FS_NOT_FOUND/,
      );
    },
  );

  it("does not open a pipe: who waits at its other end goes on waiting", async () => {
    const writer = spawn("sh", ["-c", 'echo x > "$1"', "sh", join(data, "pipe")]);
    const ended = new Promise((resolve) => writer.once("exit", resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await attack(strategy, "data/pipe", asFile);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([writer.exitCode, writer.signalCode]).toEqual([null, null]);
    writer.kill("SIGKILL");
    await ended;
  });

  it("reads through a root that is itself a link", async () => {
    const broker = brokerFor(strategy);
    const answer = answerOf(await broker.call(callOf(0, "fs_read", { path: "linked/in/a.txt" }), calm));
    expect(answer).toEqual({ ok: { bytes: new TextEncoder().encode("inside"), size: 6 } });
  });

  it("changes nothing in a root that is read-only, and says what to set", async () => {
    const broker = brokerFor(strategy);
    const write = callOf(0, "fs_write", { path: "readonly/in/b.txt", bytes, mode: "create" });
    expect(answerOf(await broker.call(write, calm))).toEqual({
      error: {
        code: "EXO_CAPABILITY_DENIED",
        message: 'the root is read-only; set "access": "write" for roots.readonly in config.json',
      },
    });
    const remove = callOf(1, "fs_remove", { path: "readonly/in/a.txt" });
    expect(JSON.stringify(answerOf(await broker.call(remove, calm)))).toContain("EXO_CAPABILITY_DENIED");
    expect(answerOf(await broker.call(callOf(2, "fs_stat", { path: "readonly/in/a.txt" }), calm))).toMatchObject({
      ok: {},
    });
    expect(broker.transcript().map(({ outcome }) => outcome)).toEqual(["denied", "denied", "ok"]);
    expect(await attack(strategy, "readonly/in/a.txt", asChange)).toEqual(new Set(["denied EXO_CAPABILITY_DENIED"]));
  });

  it("does not lend links to a listing", async () => {
    const answer = answerOf(await brokerFor(strategy).call(callOf(0, "fs_list", { path: "data" }), calm));
    expect(answer).toEqual({
      ok: {
        entries: [
          { name: "huge", type: "file", size: 1_099_511_627_776 },
          { name: "in", type: "directory", size: 0 },
        ],
      },
    });
  });

  it("reads a part of a huge file and refuses all of it", async () => {
    const broker = brokerFor(strategy);
    const all = callOf(0, "fs_read", { path: "data/huge" });
    expect(JSON.stringify(answerOf(await broker.call(all, calm)))).toContain("EXO_FS_SIZE");
    const far = callOf(1, "fs_read", { path: "data/huge", offset: 1_099_511_627_770, length: 100 });
    expect(answerOf(await broker.call(far, calm))).toEqual({
      ok: { bytes: new Uint8Array(6), size: 1_099_511_627_776 },
    });
  });

  it("reads of a growing file what it was", async () => {
    const grown = join(data, "in/growing");
    writeFileSync(grown, "start");
    let growing = true;
    const grow = (async () => {
      while (growing) {
        appendFileSync(grown, "x".repeat(100));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let i = 0; i < 30; i++) {
      const read = callOf(0, "fs_read", { path: "data/in/growing" });
      const answer = answerOf(await brokerFor(strategy).call(read, calm));
      const { ok } = answer as { ok: { bytes: Uint8Array; size: number } };
      expect(ok.bytes.length).toBe(ok.size);
    }
    growing = false;
    await grow;
    execFileSync("rm", [grown]);
  });

  it("does not list a directory of 10,001 entries", async () => {
    const many = join(data, `many-${strategy}`);
    mkdirSync(many);
    for (let i = 0; i < 10_000; i++) linkSync(join(data, "in/a.txt"), join(many, String(i)));
    const broker = brokerFor(strategy);
    const request = { path: `data/many-${strategy}` };
    expect(answerOf(await broker.call(callOf(0, "fs_list", request), calm))).toMatchObject({ ok: {} });
    writeFileSync(join(many, "last"), "");
    const refused = JSON.stringify(answerOf(await broker.call(callOf(1, "fs_list", request), calm)));
    execFileSync("rm", ["-r", many]);
    expect(refused).toContain("EXO_FS_SIZE");
  });
});

describe("a request of a hostile guest", () => {
  it.each([
    ["deep maps", new Uint8Array(30_000).fill(0x81)],
    ["deep lists", new Uint8Array(30_000).fill(0x91)],
    ["a list of 30 million", Uint8Array.of(0xdd, 0x01, 0xc9, 0xc3, 0x80, 0xc0)],
    ["a path of 4 GiB", Uint8Array.of(0x81, 0xa4, 0x70, 0x61, 0x74, 0x68, 0xdb, 0xff, 0xff, 0xff, 0xff)],
    ["a path as raw bytes", encodeAbi({ path: new TextEncoder().encode("data/in/a.txt") })],
    ["a second path", Uint8Array.of(0x82, 0xa1, 0x61, 0xc0, 0xa1, 0x61, 0xc0)],
    ["a flag", encodeAbi({ path: "data/in/a.txt", followSymlinks: true })],
  ])("with %s touches nothing", async (_what, request) => {
    for (const capability of capabilities) {
      const broker = brokerFor(nativeStrategy());
      const answer = await broker.call({ seq: 0, capability, request, fuel: 1 }, calm);
      expect(JSON.stringify(answerOf(answer))).toContain("EXO_CAPABILITY_REQUEST");
      expect(broker.transcript()[0]?.outcome).toBe("error");
      expect(broker.effects()).toEqual([]);
    }
  });
});
