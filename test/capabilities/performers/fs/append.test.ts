import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { appendFile } from "../../../../src/capabilities/performers/fs/write.js";
import { calm, makeRoots } from "../../support.js";
import { bytes, endOf, folderOf, performerOf, strategies } from "./support.js";

let base: string;
let data: string;
let outside: string;
let perform: ReturnType<typeof performerOf>;

describe.each(strategies)("fs_append by %s", (strategy) => {
  beforeEach(() => {
    ({ base, data, outside } = makeRoots());
    const roots = { data: { path: data, access: "write" }, readonly: { path: data, access: "read" } } as const;
    perform = performerOf(roots, strategy);
    mkdirSync(join(data, "in"));
    writeFileSync(join(data, "in/a.log"), "one\n");
  });

  const append = async (path: string, text: string, constraints = {}): Promise<string> =>
    endOf(await perform("fs_append", { path, bytes: bytes(text) }, constraints));
  const a = (): string => readFileSync(join(data, "in/a.log"), "utf8");

  it("adds to the end and tells the size of the whole", async () => {
    const request = { path: "data/in/a.log", bytes: bytes("two\n") };
    expect(await perform("fs_append", request)).toEqual({ outcome: "ok", value: { size: 8 } });
    expect(a()).toBe("one\ntwo\n");
    expect(await append("data/in/a.log", "")).toBe("ok");
    expect(a()).toBe("one\ntwo\n");
    expect(readdirSync(join(data, "in"))).toEqual(["a.log"]);
  });

  it("makes a file that is not there, for its owner alone", async () => {
    expect(await perform("fs_append", { path: "data/new", bytes: bytes("x") })).toEqual({
      outcome: "ok",
      value: { size: 1 },
    });
    expect(statSync(join(data, "new")).mode & 0o7777).toBe(0o600);
    expect(readFileSync(join(data, "new"), "utf8")).toBe("x");
  });

  it("keeps permission bits, and no special ones", async () => {
    chmodSync(join(data, "in/a.log"), 0o4640);
    expect(await append("data/in/a.log", "x")).toBe("ok");
    expect(statSync(join(data, "in/a.log")).mode & 0o7777).toBe(0o640);
  });

  it("copies more than one buffer exactly", async () => {
    const big = new Uint8Array(2_500_001).map((_, i) => (i * 31) % 251);
    writeFileSync(join(data, "big"), big);
    expect(await append("data/big", "end")).toBe("ok");
    const now = readFileSync(join(data, "big"));
    expect(now.length).toBe(2_500_004);
    expect(now.subarray(0, -3).equals(big)).toBe(true);
    expect(now.subarray(-3).toString()).toBe("end");
  });

  it("loses nothing when many append at once", async () => {
    const lines = Array.from({ length: 25 }, (_, i) => `line ${i}\n`);
    const ends = await Promise.all(lines.map((line) => append("data/many.log", line)));
    expect(ends.every((end) => end === "ok")).toBe(true);
    expect(
      readFileSync(join(data, "many.log"), "utf8")
        .match(/line \d+\n/g)
        ?.sort(),
    ).toEqual(lines.sort());
    expect(readdirSync(data)).toEqual(["in", "many.log"]);
  });

  it("bounds the whole file, not what is added", async () => {
    expect(await append("data/in/a.log", "12345", { maxBytes: 9 })).toBe("ok");
    const over = await perform("fs_append", { path: "data/in/a.log", bytes: bytes("6") }, { maxBytes: 9 });
    expect(over).toEqual({
      outcome: "error",
      code: "EXO_FS_SIZE",
      message: "more than 9 bytes; read or write in parts, or grant maxBytes",
    });
    expect(await append("data/new", "1234567890", { maxBytes: 9 })).toBe("error EXO_FS_SIZE");
    expect(a()).toBe("one\n12345");
    expect(readdirSync(data)).toEqual(["in"]);
  });

  it("adds an entry only where the directory has room", async () => {
    expect(await append("data/in/b", "x", { maxEntries: 1 })).toBe("error EXO_FS_SIZE");
    expect(await append("data/in/a.log", "x", { maxEntries: 1 })).toBe("ok");
    expect(await append("data/in/b", "x", { maxEntries: 2 })).toBe("ok");
    expect(await append("data/none", "x", { maxEntries: 0 })).toBe("error EXO_FS_SIZE");
  });

  it.each([
    ["a folder", "data/in", "EXO_FS_KIND"],
    ["the root", "data", "EXO_FS_KIND"],
    ["a missing folder", "data/none/a", "EXO_FS_NOT_FOUND"],
    ["a file as a folder", "data/in/a.log/x", "EXO_FS_KIND"],
    ["a read-only root", "readonly/in/a.log", "EXO_CAPABILITY_DENIED"],
    ["a link", "data/link", "EXO_FS_PATH"],
    ["a link that leads nowhere", "data/dangling", "EXO_FS_PATH"],
    ["a folder's link", "data/dir-link/a", "EXO_FS_PATH"],
    ["a pipe", "data/pipe", "EXO_FS_KIND"],
    ["the runtime's own", "data/.exoarmur-write-0.tmp", "EXO_FS_PATH"],
  ])("refuses %s", async (_what, path, code) => {
    writeFileSync(join(outside, "a"), "OUTSIDE");
    symlinkSync(join(outside, "a"), join(data, "link"));
    symlinkSync(join(outside, "planted"), join(data, "dangling"));
    symlinkSync(outside, join(data, "dir-link"));
    execFileSync("mkfifo", [join(data, "pipe")]);
    expect(await append(path, "x")).toBe(`error ${code}`);
    expect(readFileSync(join(outside, "a"), "utf8")).toBe("OUTSIDE");
    expect(readdirSync(outside)).toEqual(["a"]);
    expect(a()).toBe("one\n");
  });

  it("does not change what another name of the file leads to", async () => {
    writeFileSync(join(outside, "a"), "OUTSIDE");
    linkSync(join(outside, "a"), join(data, "hard"));
    expect(await append("data/hard", "x")).toBe("ok");
    expect(readFileSync(join(data, "hard"), "utf8")).toBe("OUTSIDEx");
    expect(readFileSync(join(outside, "a"), "utf8")).toBe("OUTSIDE");
  });

  it("changes nothing once the run is over", async () => {
    for (const path of ["data/in/a.log", "data/new"]) {
      const late = await perform("fs_append", { path, bytes: bytes("x") }, {}, AbortSignal.abort());
      expect(endOf(late)).toBe("error EXO_TIMED_OUT");
    }
    expect(a()).toBe("one\n");
    expect(readdirSync(data)).toEqual(["in"]);
  });

  it("names no host path", async () => {
    for (const path of ["data/none/x", "data/in/a.log/x", "data/in", "other/x", `data/${"x".repeat(300)}`]) {
      const result = await perform("fs_append", { path, bytes: bytes("") });
      expect(JSON.stringify(result)).not.toMatch(/exo-fs-|\/tmp|\/proc|ENO|EIS|EXX/);
    }
    expect(base).toContain("exo-fs-");
  });
});

describe("fs_append that ends badly", () => {
  const bounds = { maxBytes: 100, maxEntries: 100 };

  it("leaves a file alone that somebody else changes, replaces or removes meanwhile", async () => {
    const changes: readonly ((path: string) => void)[] = [
      (path) => appendFileSync(path, "theirs"),
      (path) => {
        unlinkSync(path);
        writeFileSync(path, "OLD");
      },
      (path) => unlinkSync(path),
      (path) => {
        unlinkSync(path);
        symlinkSync("/etc/hostname", path);
      },
    ];
    for (const change of changes) {
      const { data } = makeRoots();
      writeFileSync(join(data, "a"), "old");
      let looks = 0;
      // The second look is the one after the copy.
      const verify = (): Promise<void> => {
        if (++looks === 2) change(join(data, "a"));
        return Promise.resolve();
      };
      const entry = { folder: folderOf(data, { verify }), name: "a" };
      const result = await appendFile(entry, bytes("mine"), bounds, calm);
      expect(result.outcome).toBe("error");
      expect(readdirSync(data).filter((name) => name !== "a")).toEqual([]);
      const left = readdirSync(data).length === 1 ? readFileSync(join(data, "a"), "utf8") : "";
      expect(left).not.toContain("mine");
    }
  });

  it("is unknown when the directory cannot be synced, and whole then too", async () => {
    const { data } = makeRoots();
    writeFileSync(join(data, "a"), "old ");
    const folder = folderOf(data, { sync: () => Promise.reject(new Error("EIO")) });
    expect(await appendFile({ folder, name: "a" }, bytes("new"), bounds, calm)).toMatchObject({
      outcome: "unknown",
      code: "EXO_EFFECT_UNKNOWN",
    });
    expect(readFileSync(join(data, "a"), "utf8")).toBe("old new");
  });
});

/** Calls a performer of the built package where no file may be larger than 64 KiB, as on a disk that gets full. */
const onFullDisk = `
import { createFsPerformers } from ${JSON.stringify(new URL("../../../../dist/capabilities/performers/fs/files.js", import.meta.url).href)};
const [path, strategy] = process.argv.slice(2);
const fs = createFsPerformers({ data: { path, access: "write" } }, strategy);
const signal = new AbortController().signal;
const big = new Uint8Array(100_000).fill(120);
const ends = [
  await fs.fs_append.perform({ path: "data/a", bytes: big }, {}, signal),
  await fs.fs_append.perform({ path: "data/new", bytes: big }, {}, signal),
  await fs.fs_write.perform({ path: "data/a", bytes: big, mode: "replace" }, {}, signal),
  await fs.fs_append.perform({ path: "data/a", bytes: new Uint8Array(1).fill(121) }, {}, signal),
];
process.stdout.write(JSON.stringify(ends));
`;

it.each(strategies)("a disk that gets full in the middle leaves the old file, and no other (%s)", (strategy) => {
  const { base, data } = makeRoots();
  const program = join(base, "program.mjs");
  writeFileSync(program, onFullDisk);
  writeFileSync(join(data, "a"), "old");
  const limited = 'ulimit -f 64 && exec "$@"';
  const run = spawnSync("bash", ["-c", limited, "bash", process.execPath, program, data, strategy], {
    encoding: "utf8",
  });
  expect(run.stderr).toBe("");
  const full = {
    outcome: "error",
    code: "EXO_FS_SIZE",
    message: "the file would be larger than the file system takes",
  };
  expect(JSON.parse(run.stdout)).toEqual([full, full, full, { outcome: "ok", value: { size: 4 } }]);
  expect(readdirSync(data)).toEqual(["a"]);
  expect(readFileSync(join(data, "a"), "utf8")).toBe("oldy");
});
