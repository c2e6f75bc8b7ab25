import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { changeOutcome } from "../../../../src/capabilities/performers/fs/fault.js";
import { createFsPerformers, type FsPerformers } from "../../../../src/capabilities/performers/fs/files.js";
import { type Folder, nativeStrategy } from "../../../../src/capabilities/performers/fs/folder.js";
import { isGuestName, isListed } from "../../../../src/capabilities/performers/fs/names.js";
import { writeFile } from "../../../../src/capabilities/performers/fs/write.js";
import type { AbiValue, PerformOutcome } from "../../../../src/ports.js";
import { calm, makeRoots } from "../../support.js";

let data: string;
let base: string;
let fs: FsPerformers;

type Name = keyof FsPerformers;
type Request = Readonly<Record<string, AbiValue>>;

async function perform(name: Name, request: Request, constraints = {}, signal = calm): Promise<PerformOutcome> {
  return fs[name].perform(request, constraints, signal);
}

async function codeOf(name: Name, request: Request, constraints = {}): Promise<string> {
  const result = await perform(name, request, constraints);
  return result.outcome === "ok" ? "ok" : `${result.outcome} ${result.code}`;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

// A system without descriptor paths has the other strategy alone.
const strategies = nativeStrategy() === "descriptors" ? (["descriptors", "paths"] as const) : (["paths"] as const);

describe.each(strategies)("file performers by %s", (strategy) => {
  beforeEach(() => {
    ({ base, data } = makeRoots());
    fs = createFsPerformers(
      { data: { path: data, access: "write" }, late: { path: join(base, "late"), access: "write" } },
      strategy,
    );
    mkdirSync(join(data, "in"));
    writeFileSync(join(data, "in/a.csv"), "0123456789");
  });

  it("reads a whole file", async () => {
    expect(await perform("fs_read", { path: "data/in/a.csv" })).toEqual({
      outcome: "ok",
      value: { bytes: bytes("0123456789"), size: 10 },
    });
  });

  it.each([
    [2, 3, "234"],
    [8, 5, "89"],
    [10, 1, ""],
    [5_000_000_000, 4, ""],
    [0, 0, ""],
  ])("reads from %i at most %i bytes", async (offset, length, text) => {
    const value = { bytes: bytes(text), size: 10 };
    expect(await perform("fs_read", { path: "data/in/a.csv", offset, length })).toEqual({ outcome: "ok", value });
  });

  it("reads the rest without a length, within the cap", async () => {
    const result = await perform("fs_read", { path: "data/in/a.csv", offset: 7 }, { maxBytes: 3 });
    expect(result).toMatchObject({ value: { bytes: bytes("789") } });
    expect(await codeOf("fs_read", { path: "data/in/a.csv", offset: 6 }, { maxBytes: 3 })).toBe("error EXO_FS_SIZE");
  });

  it("writes, replaces and keeps permission bits", async () => {
    const path = "data/new.txt";
    const written = { outcome: "ok", value: { size: 3 } };
    expect(await perform("fs_write", { path, bytes: bytes("one"), mode: "create" })).toEqual(written);
    expect(statSync(join(data, "new.txt")).mode & 0o7777).toBe(0o600);
    chmodSync(join(data, "new.txt"), 0o4644);
    expect(await perform("fs_write", { path, bytes: bytes("two"), mode: "replace" })).toEqual(written);
    expect(readFileSync(join(data, "new.txt"), "utf8")).toBe("two");
    expect(statSync(join(data, "new.txt")).mode & 0o7777).toBe(0o644);
    expect(readdirSync(data)).toEqual(["in", "new.txt"]);
  });

  it("makes a new file under replace, and none over one under create", async () => {
    expect(await codeOf("fs_write", { path: "data/n", bytes: bytes("x"), mode: "replace" })).toBe("ok");
    expect(await codeOf("fs_write", { path: "data/n", bytes: bytes("y"), mode: "create" })).toBe("error EXO_FS_EXISTS");
    expect(readFileSync(join(data, "n"), "utf8")).toBe("x");
    expect(readdirSync(data)).toEqual(["in", "n"]);
  });

  it("lets one of many concurrent creates win, whole", async () => {
    const writes = Array.from({ length: 20 }, (_, i) =>
      codeOf("fs_write", { path: "data/one", bytes: bytes(String(i).repeat(1000)), mode: "create" }),
    );
    const ends = await Promise.all(writes);
    expect(ends.filter((end) => end === "ok")).toHaveLength(1);
    expect(ends.filter((end) => end === "error EXO_FS_EXISTS")).toHaveLength(19);
    expect(readFileSync(join(data, "one"), "utf8")).toBe(String(ends.indexOf("ok")).repeat(1000));
    expect(readdirSync(data)).toEqual(["in", "one"]);
  });

  it("steps over what a crashed write left", async () => {
    writeFileSync(join(data, ".exoarmur-write-0.tmp"), "left over");
    expect(await codeOf("fs_write", { path: "data/n", bytes: bytes("x"), mode: "create" })).toBe("ok");
    expect(readFileSync(join(data, ".exoarmur-write-0.tmp"), "utf8")).toBe("left over");
    expect(await perform("fs_list", { path: "data" })).toMatchObject({
      value: { entries: [{ name: "in" }, { name: "n" }] },
    });
  });

  it("removes a file", async () => {
    expect(await perform("fs_remove", { path: "data/in/a.csv" })).toEqual({ outcome: "ok", value: {} });
    expect(readdirSync(join(data, "in"))).toEqual([]);
    expect(await codeOf("fs_remove", { path: "data/in/a.csv" })).toBe("error EXO_FS_NOT_FOUND");
  });

  it("lists by the bytes of names, links and strangers left out", async () => {
    for (const name of ["b", "B", "a", "é", "\uffee", "😀", ".exoarmur", ".EXOARMUR-x", ".hidden", "a\\b", "a\nb"]) {
      writeFileSync(join(data, "in", name), "xy");
    }
    symlinkSync("a", join(data, "in/link"));
    writeFileSync(Buffer.concat([Buffer.from(join(data, "in/bad-")), Buffer.of(0xff)]), "x");
    mkdirSync(join(data, "in/sub"));
    const result = await perform("fs_list", { path: "data/in" });
    if (result.outcome !== "ok") throw new Error(result.code);
    const { entries } = result.value as { entries: { name: string; type: string; size: number }[] };
    // UTF-16 order would put the pair of 😀 before U+FFEE.
    expect(entries.map(({ name }) => name)).toEqual([".hidden", "B", "a", "a.csv", "b", "sub", "é", "\uffee", "😀"]);
    expect(entries.find(({ name }) => name === "sub")).toEqual({ name: "sub", type: "directory", size: 0 });
    expect(entries.find(({ name }) => name === "é")).toEqual({ name: "é", type: "file", size: 2 });
  });

  it("tells type and size, of the root too", async () => {
    expect(await perform("fs_stat", { path: "data/in/a.csv" })).toMatchObject({ value: { type: "file", size: 10 } });
    expect(await perform("fs_stat", { path: "data/in" })).toMatchObject({ value: { type: "directory", size: 0 } });
    expect(await perform("fs_stat", { path: "data" })).toMatchObject({ value: { type: "directory", size: 0 } });
  });

  it.each<[string, Name, Request, string]>([
    ["a missing file", "fs_read", { path: "data/none" }, "EXO_FS_NOT_FOUND"],
    ["a missing folder", "fs_read", { path: "data/none/a" }, "EXO_FS_NOT_FOUND"],
    ["a folder", "fs_read", { path: "data/in" }, "EXO_FS_KIND"],
    ["the root", "fs_read", { path: "data" }, "EXO_FS_KIND"],
    ["a file as a folder", "fs_read", { path: "data/in/a.csv/x" }, "EXO_FS_KIND"],
    ["a folder", "fs_write", { path: "data/in", bytes: bytes(""), mode: "replace" }, "EXO_FS_KIND"],
    ["the root", "fs_write", { path: "data", bytes: bytes(""), mode: "replace" }, "EXO_FS_KIND"],
    ["a missing folder", "fs_write", { path: "data/none/a", bytes: bytes(""), mode: "create" }, "EXO_FS_NOT_FOUND"],
    ["a name too long", "fs_write", { path: `data/${"x".repeat(300)}`, bytes: bytes(""), mode: "create" }, "EXO_FS_IO"],
    ["a folder", "fs_remove", { path: "data/in" }, "EXO_FS_KIND"],
    ["the root", "fs_remove", { path: "data" }, "EXO_FS_KIND"],
    ["a file", "fs_list", { path: "data/in/a.csv" }, "EXO_FS_KIND"],
    ["a missing folder", "fs_list", { path: "data/none" }, "EXO_FS_NOT_FOUND"],
    ["a missing file", "fs_stat", { path: "data/none" }, "EXO_FS_NOT_FOUND"],
    ["a root that is not there", "fs_list", { path: "late" }, "EXO_FS_NOT_FOUND"],
    ["content over the cap", "fs_write", { path: "data/x", bytes: new Uint8Array(5), mode: "create" }, "EXO_FS_SIZE"],
  ])("refuses %s to %s", async (_what, name, request, code) => {
    const constraints = code === "EXO_FS_SIZE" ? { maxBytes: 4 } : {};
    expect(await codeOf(name, request, constraints)).toBe(`error ${code}`);
    expect(readdirSync(data)).toEqual(["in"]);
  });

  it("finds a root that is made later", async () => {
    mkdirSync(join(base, "late"));
    expect(await perform("fs_list", { path: "late" })).toEqual({ outcome: "ok", value: { entries: [] } });
  });

  it("changes nothing once the run is over", async () => {
    const over = AbortSignal.abort();
    const late = { outcome: "error", code: "EXO_TIMED_OUT" };
    expect(await perform("fs_write", { path: "data/n", bytes: bytes("x"), mode: "create" }, {}, over)).toMatchObject(
      late,
    );
    expect(await perform("fs_remove", { path: "data/in/a.csv" }, {}, over)).toMatchObject(late);
    expect(await perform("fs_read", { path: "data/in/a.csv" }, {}, over)).toMatchObject(late);
    expect(await perform("fs_list", { path: "data" }, {}, over)).toMatchObject(late);
    expect(readdirSync(data)).toEqual(["in"]);
    expect(readdirSync(join(data, "in"))).toEqual(["a.csv"]);
  });

  it("names no host path, whatever fails", async () => {
    for (const name of ["fs_read", "fs_write", "fs_list", "fs_stat", "fs_remove"] as const) {
      for (const path of [
        "data/none/x",
        "data/in/a.csv/x",
        "data/in",
        "late/x",
        "other/x",
        `data/${"x".repeat(300)}`,
      ]) {
        const result = await perform(name, { path, bytes: bytes(""), mode: "create" });
        expect(JSON.stringify(result)).not.toMatch(/exo-fs-|\/tmp|\/proc|ENO|EIS|EXX/);
      }
    }
  });

  it("leaves no descriptor open", async () => {
    const open = (): number => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);
    const before = open();
    for (let i = 0; i < 30; i++) {
      await perform("fs_read", { path: "data/in/a.csv" });
      await perform("fs_read", { path: "data/in/none" });
      await perform("fs_read", { path: "data/in/a.csv/x" });
      await perform("fs_list", { path: "data/in" });
      await perform("fs_write", { path: "data/in/b", bytes: bytes("x"), mode: "replace" });
      await perform("fs_write", { path: "data/in/b", bytes: bytes("x"), mode: "create" });
    }
    expect(open()).toBeLessThan(before + 10);
  });
});

describe("roots", () => {
  it("must be absolute", () => {
    expect(() => createFsPerformers({ data: { path: "./data", access: "read" } })).toThrow(
      expect.objectContaining({ code: "EXO_FILE" }),
    );
  });
});

const room = { maxBytes: 100, maxEntries: 100 };

describe("a change that ends badly", () => {
  const folderOf = (data: string, changed: Partial<Folder>): Folder => ({
    at: (name) => join(data, name),
    verify: () => Promise.resolve(),
    sync: () => Promise.resolve(),
    close: () => Promise.resolve(),
    ...changed,
  });

  it("is unknown when the directory cannot be synced", async () => {
    const roots = makeRoots();
    const folder = folderOf(roots.data, { sync: () => Promise.reject(new Error("EIO")) });
    const result = await writeFile({ folder, name: "a" }, bytes("x"), "replace", room, calm);
    expect(result).toMatchObject({ outcome: "unknown", code: "EXO_EFFECT_UNKNOWN" });
    expect(readdirSync(roots.data)).toEqual(["a"]);
  });

  it("is unknown when the directory was swapped during it, an error when before", async () => {
    const roots = makeRoots();
    for (const [good, expected] of [
      [0, "error"],
      [1, "error"],
      [2, "unknown"],
    ] as const) {
      let looks = 0;
      const verify = (): Promise<void> => (looks++ < good ? Promise.resolve() : Promise.reject(new Error("moved")));
      const entry = { folder: folderOf(roots.data, { verify }), name: `f${good}` };
      const result = await writeFile(entry, bytes("x"), "create", room, calm);
      expect(result.outcome).toBe(expected);
    }
    expect(readdirSync(roots.data)).toEqual(["f2"]);
  });

  it.each([
    ["ENOENT", "error"],
    ["EXDEV", "error"],
    ["ENOSPC", "error"],
    ["EIO", "unknown"],
    ["ESTALE", "unknown"],
    ["EINTR", "unknown"],
    ["", "unknown"],
  ])("by %s is %s", (code, outcome) => {
    expect(changeOutcome(Object.assign(new Error("x"), { code })).outcome).toBe(outcome);
    expect(changeOutcome("no error at all").outcome).toBe("unknown");
  });
});

describe("names", () => {
  it.each([".exoarmur", ".ExoArmur", ".exoarmur-write-0.tmp", ".exoarmur2"])("%s belongs to the runtime", (name) => {
    expect(isGuestName(name, false)).toBe(false);
  });

  it.each(["a:b", "CON", "con.txt", "a.", "a ", "nul", "COM1", "a?b"])("%j is no name on Windows", (name) => {
    expect([isGuestName(name, true), isGuestName(name, false)]).toEqual([false, true]);
  });

  it.each(["a/b", "..", ".", "", "a\\b", "a\u0000b", "a\u0085b"])("%j is never listed", (name) => {
    expect(isListed(name, false)).toBe(false);
  });
});
