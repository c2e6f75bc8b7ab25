import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { createFsPerformers, type FsPerformers } from "../../src/capabilities/performers/fs/files.js";
import { nativeStrategy } from "../../src/capabilities/performers/fs/folder.js";
import type { AbiValue } from "../../src/ports.js";
import { calm, makeRoots } from "../capabilities/support.js";

/** A race lasts this long, on a busy machine up to the greater time until it has been won and lost often enough. */
const raceMs = 1500;
const longestRaceMs = 30_000;
const often = 5;

/** Outcomes of calls by code. */
type Seen = ReadonlyMap<string, number>;
const wasRaced = (seen: Seen): boolean => ["ok", "EXO_FS_PATH"].every((code) => (seen.get(code) ?? 0) > often);

/** Swaps `path` and a link to `outside` back and forth, with pauses from a seeded generator, until it is told to stop. */
const swapper = `
const { renameSync, symlinkSync, unlinkSync } = require("node:fs");
const { workerData } = require("node:worker_threads");
const { path, outside, seed, stop } = workerData;
let state = seed;
const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
const pause = () => { for (let n = next() % 20000; n > 0; n--) state ^= 0; };
while (Atomics.load(stop, 0) === 0) {
  renameSync(path, path + ".real");
  symlinkSync(outside, path);
  pause();
  unlinkSync(path);
  renameSync(path + ".real", path);
  pause();
}
`;

async function race(
  path: string,
  outside: string,
  seed: number,
  seen: Seen,
  attack: () => Promise<void>,
): Promise<void> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(swapper, { eval: true, workerData: { path, outside, seed, stop } });
  const crashed: unknown[] = [];
  worker.on("error", (error) => crashed.push(error));
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  const started = performance.now();
  const goesOn = (): boolean => performance.now() - started < (wasRaced(seen) ? raceMs : longestRaceMs);
  try {
    while (goesOn() && crashed.length === 0) await attack();
  } finally {
    Atomics.store(stop, 0, 1);
    await ended;
  }
  expect(crashed).toEqual([]);
  expect(wasRaced(seen), JSON.stringify([...seen])).toBe(true);
}

function setUp(): { readonly data: string; readonly outside: string; readonly fs: FsPerformers } {
  const { data, outside } = makeRoots();
  mkdirSync(join(data, "dir"));
  for (const [folder, text] of [
    [join(data, "dir"), "inside"],
    [outside, "OUTSIDE"],
  ] as const) {
    writeFileSync(join(folder, "file"), text);
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "sub/file"), text);
  }
  writeFileSync(join(outside, "only-outside"), "OUTSIDE");
  return { data, outside, fs: createFsPerformers({ data: { path: data, access: "write" } }) };
}

/** Performs and counts the outcomes by code, so that a race that never happened is seen. */
function counter(fs: FsPerformers): {
  readonly seen: Map<string, number>;
  run(name: keyof FsPerformers, request: Record<string, AbiValue>): Promise<string>;
} {
  const seen = new Map<string, number>();
  return {
    seen,
    async run(name, request) {
      const result = await fs[name].perform(request, {}, calm);
      const key = result.outcome === "ok" ? "ok" : result.code;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      if (result.outcome !== "ok") return "";
      const { bytes, ...rest } = result.value as { bytes?: Uint8Array };
      return JSON.stringify(rest) + new TextDecoder().decode(bytes);
    },
  };
}

// Only the descriptor walk promises to win; the look-before-and-after of other systems does not (spec/capabilities.md).
describe.runIf(nativeStrategy() === "descriptors")("a link swapped in during the call", () => {
  it("for a directory never lets a read, listing or stat out", async () => {
    const { data, outside, fs } = setUp();
    const { seen, run } = counter(fs);
    await race(join(data, "dir"), outside, 1, seen, async () => {
      expect(await run("fs_read", { path: "data/dir/file" })).not.toContain("OUTSIDE");
      expect(await run("fs_read", { path: "data/dir/sub/file" })).not.toContain("OUTSIDE");
      expect(await run("fs_list", { path: "data/dir" })).not.toContain("only-outside");
      expect(await run("fs_stat", { path: "data/dir/file" })).not.toContain('"size":7');
    });
  });

  it("for a file never lets a read out", async () => {
    const { data, outside, fs } = setUp();
    const { seen, run } = counter(fs);
    await race(join(data, "dir/file"), join(outside, "file"), 2, seen, async () => {
      expect(await run("fs_read", { path: "data/dir/file" })).not.toContain("OUTSIDE");
    });
  });

  it("for a directory never lets a write or removal out", async () => {
    const { data, outside, fs } = setUp();
    const { seen, run } = counter(fs);
    const bytes = new TextEncoder().encode("written");
    await race(join(data, "dir"), outside, 3, seen, async () => {
      await run("fs_write", { path: "data/dir/file", bytes, mode: "replace" });
      await run("fs_write", { path: "data/dir/new", bytes, mode: "create" });
      await run("fs_remove", { path: "data/dir/new" });
      await run("fs_remove", { path: "data/dir/only-outside" });
    });
    expect(readdirSync(outside).sort()).toEqual(["file", "only-outside", "sub"]);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("OUTSIDE");
  });

  it("for a directory never lets an append, a new directory or a rename out", async () => {
    const { data, outside, fs } = setUp();
    const { seen, run } = counter(fs);
    const bytes = new TextEncoder().encode("+");
    await race(join(data, "dir"), outside, 4, seen, async () => {
      await run("fs_append", { path: "data/dir/file", bytes });
      await run("fs_append", { path: "data/dir/new", bytes });
      await run("fs_mkdir", { path: "data/dir/made" });
      await run("fs_rename", { path: "data/dir/new", to: "data/dir/sub/new", mode: "replace" });
      await run("fs_rename", { path: "data/dir/only-outside", to: "data/taken", mode: "create" });
      await run("fs_rename", { path: "data/dir/sub/new", to: "data/dir/moved", mode: "replace" });
    });
    expect(readdirSync(outside).sort()).toEqual(["file", "only-outside", "sub"]);
    expect(readdirSync(join(outside, "sub"))).toEqual(["file"]);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("OUTSIDE");
    expect(readdirSync(data).sort()).toEqual(["dir"]);
  });

  it("for a file that is appended to is replaced itself at most, what it leads to is neither changed nor taken", async () => {
    const { data, outside, fs } = setUp();
    const bytes = new TextEncoder().encode("+");
    const target = join(data, "dir/file");
    for (let i = 0; i < 100; i++) {
      rmSync(target, { force: true });
      writeFileSync(target, "inside");
      const append = fs.fs_append.perform({ path: "data/dir/file", bytes }, {}, calm);
      for (let turn = 0; turn < i % 30; turn++) await new Promise((resolve) => setImmediate(resolve));
      rmSync(target, { force: true });
      symlinkSync(join(outside, "file"), target);
      await append;
      expect(readFileSync(join(outside, "file"), "utf8")).toBe("OUTSIDE");
      if (lstatSync(target).isFile()) expect(readFileSync(target, "utf8")).toBe("inside+");
    }
  });

  it("for a file that is renamed is moved itself at most, what it leads to is not", async () => {
    const { data, outside, fs } = setUp();
    const from = join(data, "dir/file");
    for (let i = 0; i < 100; i++) {
      for (const name of ["file", "to"]) rmSync(join(data, "dir", name), { force: true });
      writeFileSync(from, "inside");
      const mode = i % 2 === 0 ? "create" : "replace";
      const request = { path: "data/dir/file", to: "data/dir/to", mode };
      const rename = fs.fs_rename.perform(request, {}, calm);
      for (let turn = 0; turn < i % 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      rmSync(from, { force: true });
      symlinkSync(join(outside, "file"), from);
      const { outcome } = await rename;
      // Answered ok only when the file that was looked at has the new name.
      if (outcome === "ok") expect(lstatSync(join(data, "dir/to")).isFile()).toBe(true);
      expect(readFileSync(join(outside, "file"), "utf8")).toBe("OUTSIDE");
      expect(lstatSync(join(outside, "file")).nlink).toBe(1);
    }
  });

  it("for a file is replaced itself, what it leads to is not", async () => {
    const { data, outside, fs } = setUp();
    const bytes = new TextEncoder().encode("written");
    const target = join(data, "dir/file");
    for (let i = 0; i < 200; i++) {
      rmSync(target, { force: true });
      writeFileSync(target, "inside");
      const write = fs.fs_write.perform({ path: "data/dir/file", bytes, mode: "replace" }, {}, calm);
      for (let turn = 0; turn < i % 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      rmSync(target, { force: true });
      symlinkSync(join(outside, "file"), target);
      await write;
      expect(readFileSync(join(outside, "file"), "utf8")).toBe("OUTSIDE");
    }
  });
});

describe.each(["descriptors", "paths"] as const)(
  "a root that is swapped for a link after it was resolved (%s)",
  (strategy) => {
    it.runIf(strategy === "paths" || nativeStrategy() === strategy)("leads nowhere", async () => {
      const { data, outside } = setUp();
      const fs = createFsPerformers({ data: { path: data, access: "write" } }, strategy);
      renameSync(data, `${data}.real`);
      symlinkSync(outside, data);
      const request = { path: "data/file", to: "data/sub/file", bytes: new Uint8Array(1), mode: "replace" };
      for (const performer of Object.values(fs)) {
        expect(await performer.perform(request, {}, calm)).toMatchObject({ outcome: "error", code: "EXO_FS_PATH" });
      }
      expect(readFileSync(join(outside, "file"), "utf8")).toBe("OUTSIDE");
      expect(readdirSync(join(outside, "sub"))).toEqual(["file"]);
    });
  },
);

describe("a directory that is swapped for a link during a call by paths", () => {
  it.each(["fs_write", "fs_append", "fs_mkdir", "fs_rename", "fs_remove"] as const)(
    "ends %s as an error, as unknown, or as ok where it was done before the swap",
    async (name) => {
      const ends = new Set<string>();
      for (let turns = 0; turns < 40; turns++) {
        const { data, outside } = setUp();
        const fs = createFsPerformers({ data: { path: data, access: "write" } }, "paths");
        const path = name === "fs_mkdir" ? "data/dir/new" : "data/dir/file";
        const request = { path, to: "data/dir/to", bytes: new Uint8Array(1), mode: "replace" };
        const call = fs[name].perform(request, {}, calm);
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        renameSync(join(data, "dir"), join(data, "dir.real"));
        symlinkSync(outside, join(data, "dir"));
        const result = await call;
        const done = result.outcome === "ok";
        const inside = readdirSync(join(data, "dir.real")).sort().join();
        ends.add(result.outcome);
        // Answered ok, it was done where it was to be done, before the swap.
        if (done && name === "fs_mkdir") expect(inside).toContain("new");
        if (done && name === "fs_rename") expect(inside).toBe("sub,to");
        if (done && name === "fs_remove") expect(inside).toBe("sub");
        if (result.outcome === "error") expect(readFileSync(join(outside, "file"), "utf8")).toBe("OUTSIDE");
      }
      expect(ends).toContain("error");
    },
  );
});
