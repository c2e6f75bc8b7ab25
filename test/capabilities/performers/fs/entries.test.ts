import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { makeFolder, renameFile } from "../../../../src/capabilities/performers/fs/entries.js";
import { calm, makeRoots } from "../../support.js";
import { bytes, endOf, folderOf, performerOf, strategies } from "./support.js";

let data: string;
let outside: string;
let other: string;
let perform: ReturnType<typeof performerOf>;

const text = (path: string): string => readFileSync(path, "utf8");

/** Everything below a directory: `name=content` of files, `name/` of directories, `name@` of what is neither. */
function tree(path: string): readonly string[] {
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => {
      if (entry.isDirectory()) {
        return [`${entry.name}/`, ...tree(join(path, entry.name)).map((inner) => `${entry.name}/${inner}`)];
      }
      return [entry.isFile() ? `${entry.name}=${text(join(path, entry.name))}` : `${entry.name}@`];
    })
    .sort();
}

function setUp(strategy: (typeof strategies)[number]): void {
  const made = makeRoots();
  ({ data, outside } = made);
  other = join(made.base, "other");
  mkdirSync(other);
  mkdirSync(join(data, "in"));
  writeFileSync(join(data, "in/a"), "A");
  writeFileSync(join(data, "in/b"), "B");
  writeFileSync(join(outside, "secret"), "OUTSIDE");
  perform = performerOf(
    {
      data: { path: data, access: "write" },
      other: { path: other, access: "write" },
      readonly: { path: other, access: "read" },
    },
    strategy,
  );
}

/** What must never be named, followed or taken along. */
function plantTraps(): void {
  symlinkSync(join(outside, "secret"), join(data, "link"));
  symlinkSync(join(outside, "planted"), join(data, "dangling"));
  symlinkSync(outside, join(data, "dir-link"));
  execFileSync("mkfifo", [join(data, "pipe")]);
}

describe.each(strategies)("fs_mkdir by %s", (strategy) => {
  beforeEach(() => setUp(strategy));

  const mkdir = async (path: string, constraints = {}): Promise<string> =>
    endOf(await perform("fs_mkdir", { path }, constraints));

  it("makes one directory, for its owner alone", async () => {
    expect(await perform("fs_mkdir", { path: "data/in/new" })).toEqual({ outcome: "ok", value: {} });
    expect(statSync(join(data, "in/new")).mode & 0o7777).toBe(0o700);
    expect(await mkdir("data/in/new/inner")).toBe("ok");
    expect(tree(data)).toEqual(["in/", "in/a=A", "in/b=B", "in/new/", "in/new/inner/"]);
  });

  it.each([
    ["a directory", "data/in", "EXO_FS_EXISTS"],
    ["a file", "data/in/a", "EXO_FS_EXISTS"],
    ["a pipe", "data/pipe", "EXO_FS_EXISTS"],
    ["the root", "data", "EXO_FS_KIND"],
    ["a missing parent", "data/none/new", "EXO_FS_NOT_FOUND"],
    ["a file as parent", "data/in/a/new", "EXO_FS_KIND"],
    ["a link", "data/link", "EXO_FS_PATH"],
    ["a link that leads nowhere", "data/dangling", "EXO_FS_PATH"],
    ["a folder's link", "data/dir-link", "EXO_FS_PATH"],
    ["a folder's link as parent", "data/dir-link/new", "EXO_FS_PATH"],
    ["a read-only root", "readonly/new", "EXO_CAPABILITY_DENIED"],
    ["an unknown root", "nowhere/new", "EXO_CAPABILITY_DENIED"],
    ["the home's name", "data/.exoarmur", "EXO_FS_PATH"],
    ["the home's name in another case", "data/.ExoArmur", "EXO_FS_PATH"],
    ["a name too long", `data/${"x".repeat(300)}`, "EXO_FS_IO"],
  ])("refuses %s", async (_what, path, code) => {
    plantTraps();
    const before = tree(data);
    expect(await mkdir(path)).toBe(`error ${code}`);
    expect(tree(data)).toEqual(before);
    expect(tree(outside)).toEqual(["secret=OUTSIDE"]);
    expect(tree(other)).toEqual([]);
  });

  it("needs room in the parent, where the runtime's own files don't count", async () => {
    writeFileSync(join(data, "in/.exoarmur-write-0.tmp"), "left over");
    expect(await perform("fs_mkdir", { path: "data/in/c" }, { maxEntries: 2 })).toEqual({
      outcome: "error",
      code: "EXO_FS_SIZE",
      message: "the directory would have more than 2 entries; remove some, or grant maxEntries",
    });
    expect(await mkdir("data/in/c", { maxEntries: 3 })).toBe("ok");
    expect(await mkdir("data/in/d", { maxEntries: 0 })).toBe("error EXO_FS_SIZE");
  });

  it("counts exactly when many are made at once", async () => {
    const ends = await Promise.all(Array.from({ length: 12 }, (_, i) => mkdir(`other/${i}`, { maxEntries: 5 })));
    expect(ends.filter((end) => end === "ok")).toHaveLength(5);
    expect(ends.filter((end) => end === "error EXO_FS_SIZE")).toHaveLength(7);
    expect(readdirSync(other)).toHaveLength(5);
  });

  it("makes nothing once the run is over", async () => {
    expect(endOf(await perform("fs_mkdir", { path: "data/new" }, {}, AbortSignal.abort()))).toBe("error EXO_TIMED_OUT");
    expect(existsSync(join(data, "new"))).toBe(false);
  });
});

describe.each(strategies)("fs_rename by %s", (strategy) => {
  beforeEach(() => setUp(strategy));

  const rename = async (path: string, to: string, mode = "create", constraints = {}): Promise<string> =>
    endOf(await perform("fs_rename", { path, to, mode }, constraints));

  it.each(["create", "replace"])("gives a file another name (%s)", async (mode) => {
    const { ino } = statSync(join(data, "in/a"));
    const request = { path: "data/in/a", to: "data/in/c", mode };
    expect(await perform("fs_rename", request)).toEqual({ outcome: "ok", value: {} });
    expect(tree(data)).toEqual(["in/", "in/b=B", "in/c=A"]);
    expect(statSync(join(data, "in/c")).ino).toBe(ino);
  });

  it.each(["create", "replace"])("moves a file to another directory and another root (%s)", async (mode) => {
    expect(await rename("data/in/a", "data/a", mode)).toBe("ok");
    expect(await rename("data/a", "other/a", mode)).toBe("ok");
    expect([tree(data), tree(other)]).toEqual([["in/", "in/b=B"], ["a=A"]]);
  });

  it("replaces only when told to", async () => {
    expect(await rename("data/in/a", "data/in/b")).toBe("error EXO_FS_EXISTS");
    expect(tree(data)).toEqual(["in/", "in/a=A", "in/b=B"]);
    expect(await rename("data/in/a", "data/in/b", "replace")).toBe("ok");
    expect(tree(data)).toEqual(["in/", "in/b=A"]);
  });

  it("gives a name to one of many, and leaves the others where they were", async () => {
    for (let i = 0; i < 10; i++) writeFileSync(join(other, String(i)), String(i));
    const ends = await Promise.all(Array.from({ length: 10 }, (_, i) => rename(`other/${i}`, "data/one")));
    expect(ends.filter((end) => end === "ok")).toHaveLength(1);
    expect(ends.filter((end) => end === "error EXO_FS_EXISTS")).toHaveLength(9);
    expect(text(join(data, "one"))).toBe(String(ends.indexOf("ok")));
    expect(readdirSync(other)).toHaveLength(9);
  });

  it("goes both ways at once between two directories", async () => {
    const ends = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 2 === 0 ? rename("data/in/a", "other/a") : rename("other/a", "data/in/a"),
      ),
    );
    const moves = (parity: number): number => ends.filter((end, i) => end === "ok" && i % 2 === parity).length;
    expect(new Set([...ends, "ok", "error EXO_FS_NOT_FOUND"])).toEqual(new Set(["ok", "error EXO_FS_NOT_FOUND"]));
    expect(moves(0)).toBeGreaterThan(0);
    const away = moves(0) > moves(1);
    expect(moves(0) - moves(1)).toBe(away ? 1 : 0);
    expect([tree(data), tree(other)]).toEqual([["in/", ...(away ? [] : ["in/a=A"]), "in/b=B"], away ? ["a=A"] : []]);
  });

  it.each(["create", "replace"])("refuses two names of one file (%s)", async (mode) => {
    linkSync(join(data, "in/a"), join(data, "in/hard"));
    expect(await perform("fs_rename", { path: "data/in/a", to: "data/in/hard", mode })).toEqual({
      outcome: "error",
      code: "EXO_FS_EXISTS",
      message: "both paths name the same file",
    });
    expect(await rename("data/in/a", "data/in/a", mode)).toBe("error EXO_FS_EXISTS");
    expect(tree(data)).toEqual(["in/", "in/a=A", "in/b=B", "in/hard=A"]);
  });

  const refused: readonly [string, string, string, string][] = [
    ["a missing file", "data/none", "data/new", "EXO_FS_NOT_FOUND"],
    ["a missing folder", "data/none/a", "data/new", "EXO_FS_NOT_FOUND"],
    ["a directory", "data/in", "data/new", "EXO_FS_KIND"],
    ["a directory into itself", "data/in", "data/in/new", "EXO_FS_KIND"],
    ["the root", "data", "other/new", "EXO_FS_KIND"],
    ["a pipe", "data/pipe", "data/new", "EXO_FS_KIND"],
    ["a link", "data/link", "data/new", "EXO_FS_PATH"],
    ["a link that leads nowhere", "data/dangling", "data/new", "EXO_FS_PATH"],
    ["what a folder's link leads to", "data/dir-link/secret", "data/new", "EXO_FS_PATH"],
    ["the runtime's own", "data/.exoarmur", "data/new", "EXO_FS_PATH"],
    ["out of a read-only root", "readonly/file", "data/new", "EXO_CAPABILITY_DENIED"],
    ["out of an unknown root", "nowhere/file", "data/new", "EXO_CAPABILITY_DENIED"],
    ["onto a directory", "data/in/a", "data/in", "EXO_FS_KIND"],
    ["onto the root", "data/in/a", "data", "EXO_FS_KIND"],
    ["onto a pipe", "data/in/a", "data/pipe", "EXO_FS_KIND"],
    ["onto a link", "data/in/a", "data/link", "EXO_FS_PATH"],
    ["onto a link that leads nowhere", "data/in/a", "data/dangling", "EXO_FS_PATH"],
    ["onto a folder's link", "data/in/a", "data/dir-link", "EXO_FS_PATH"],
    ["through a folder's link", "data/in/a", "data/dir-link/a", "EXO_FS_PATH"],
    ["onto what a folder's link leads to", "data/in/a", "data/dir-link/secret", "EXO_FS_PATH"],
    ["into a missing folder", "data/in/a", "data/none/a", "EXO_FS_NOT_FOUND"],
    ["into a file", "data/in/a", "data/in/b/a", "EXO_FS_KIND"],
    ["onto the home's name", "data/in/a", "data/.exoarmur", "EXO_FS_PATH"],
    ["into a read-only root", "data/in/a", "readonly/a", "EXO_CAPABILITY_DENIED"],
    ["into an unknown root", "data/in/a", "nowhere/a", "EXO_CAPABILITY_DENIED"],
    ["out of the root", "data/in/a", "data/../outside/a", "EXO_FS_PATH"],
    ["to an absolute path", "data/in/a", "/tmp/a", "EXO_FS_PATH"],
    ["to a name too long", "data/in/a", `data/${"x".repeat(300)}`, "EXO_FS_IO"],
  ];

  it.each(refused)("refuses %s", async (_what, path, to, code) => {
    plantTraps();
    writeFileSync(join(other, "file"), "other");
    const before = tree(data);
    for (const mode of ["create", "replace"]) {
      const result = await perform("fs_rename", { path, to, mode });
      expect(endOf(result)).toBe(`error ${code}`);
      expect(JSON.stringify(result)).not.toMatch(/exo-fs-|\/proc|ENO|EIS|EXX/);
    }
    expect(tree(data)).toEqual(before);
    expect(tree(outside)).toEqual(["secret=OUTSIDE"]);
    expect(tree(other)).toEqual(["file=other"]);
  });

  it("needs room where it adds an entry, and only there", async () => {
    writeFileSync(join(other, "x"), "x");
    expect(await rename("data/in/a", "other/a", "create", { maxEntries: 1 })).toBe("error EXO_FS_SIZE");
    expect(await rename("data/in/a", "other/a", "replace", { maxEntries: 1 })).toBe("error EXO_FS_SIZE");
    expect(await rename("data/in/a", "data/in/c", "create", { maxEntries: 1 })).toBe("ok");
    expect(await rename("data/in/c", "other/x", "replace", { maxEntries: 1 })).toBe("ok");
    expect([tree(data), tree(other)]).toEqual([["in/", "in/b=B"], ["x=A"]]);
  });

  it("changes nothing once the run is over", async () => {
    for (const mode of ["create", "replace"]) {
      const request = { path: "data/in/a", to: "data/in/c", mode };
      expect(endOf(await perform("fs_rename", request, {}, AbortSignal.abort()))).toBe("error EXO_TIMED_OUT");
    }
    expect(tree(data)).toEqual(["in/", "in/a=A", "in/b=B"]);
  });

  it.runIf(existsSync("/dev/shm"))("does not move between file systems", async () => {
    const elsewhere = join("/dev/shm", `exo-fs-${process.pid}-${strategy}`);
    mkdirSync(elsewhere);
    try {
      const roots = { data: { path: data, access: "write" }, shm: { path: elsewhere, access: "write" } } as const;
      for (const mode of ["create", "replace"]) {
        const request = { path: "data/in/a", to: "shm/a", mode };
        expect(await performerOf(roots, strategy)("fs_rename", request)).toEqual({
          outcome: "error",
          code: "EXO_FS_IO",
          message: "the two paths are on different file systems",
        });
      }
      expect(tree(data)).toEqual(["in/", "in/a=A", "in/b=B"]);
      expect(tree(elsewhere)).toEqual([]);
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  it("leaves no descriptor open", async () => {
    const open = (): number => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);
    const before = open();
    for (let i = 0; i < 20; i++) {
      await rename("data/in/a", "other/a");
      await rename("other/a", "data/in/a");
      await rename("data/in/a", "data/none/a");
      await perform("fs_append", { path: "data/in/b", bytes: bytes("x") });
      await perform("fs_append", { path: "data/in", bytes: bytes("x") });
      await perform("fs_mkdir", { path: "data/in" });
    }
    expect(open()).toBeLessThan(before + 10);
  });
});

describe("a change of entries that ends badly", () => {
  beforeEach(() => setUp(strategies[0] ?? "paths"));

  const unsynced = (): Promise<void> => Promise.reject(new Error("EIO"));
  const unknown = { outcome: "unknown", code: "EXO_EFFECT_UNKNOWN" };
  const renamed = (mode: "create" | "replace", changed = {}) => {
    const folder = folderOf(join(data, "in"), changed);
    return renameFile({ folder, name: "a" }, { folder, name: "c" }, mode, 100, calm);
  };

  it("is unknown when a directory cannot be synced, and the file has a name then", async () => {
    expect(await makeFolder({ folder: folderOf(data, { sync: unsynced }), name: "new" }, 100, calm)).toMatchObject(
      unknown,
    );
    expect(await renamed("replace", { sync: unsynced })).toMatchObject(unknown);
    expect(tree(join(data, "in"))).toEqual(["b=B", "c=A"]);
    renameSync(join(data, "in/c"), join(data, "in/a"));
    expect(await renamed("create", { sync: unsynced })).toMatchObject(unknown);
    expect(tree(join(data, "in"))).toEqual(["a=A", "b=B", "c=A"]);
  });

  it("is an error when the directory was swapped before, unknown when after", async () => {
    for (const mode of ["create", "replace"] as const) {
      let looks = 0;
      const verify = (): Promise<void> => (looks++ < 1 ? Promise.resolve() : Promise.reject(new Error("moved")));
      expect((await renamed(mode, { verify: () => Promise.reject(new Error("moved")) })).outcome).toBe("error");
      expect(tree(join(data, "in"))).toEqual(["a=A", "b=B"]);
      expect(await renamed(mode, { verify })).toMatchObject(unknown);
      rmSync(join(data, "in/c"));
      writeFileSync(join(data, "in/a"), "A");
    }
  });

  it("takes the new name back when the old one certainly cannot be removed", async () => {
    const folder = folderOf(join(data, "in"), {});
    let moved = false;
    // The directory of the old name is swapped when it comes to removing that name.
    const from = folderOf(join(data, "in"), {
      verify: () => (moved ? Promise.reject(new Error("moved")) : Promise.resolve()),
    });
    const to = folderOf(other, {
      sync: () => {
        moved = true;
        return Promise.resolve();
      },
    });
    const result = await renameFile({ folder: from, name: "a" }, { folder: to, name: "c" }, "create", 100, calm);
    expect(endOf(result)).toBe("error EXO_FS_IO");
    expect([tree(join(data, "in")), tree(other)]).toEqual([["a=A", "b=B"], []]);
    expect(folder.at("")).toBe(join(data, "in"));
  });

  it("does not remove what somebody else put under the old name meanwhile", async () => {
    const to = folderOf(other, {
      sync: () => {
        unlinkSync(join(data, "in/a"));
        writeFileSync(join(data, "in/a"), "THEIRS");
        return Promise.resolve();
      },
    });
    const from = { folder: folderOf(join(data, "in"), {}), name: "a" };
    expect(await renameFile(from, { folder: to, name: "c" }, "create", 100, calm)).toMatchObject(unknown);
    expect([tree(join(data, "in")), tree(other)]).toEqual([["a=THEIRS", "b=B"], ["c=A"]]);
  });

  it("is not answered ok when something else than the file was moved", async () => {
    for (const mode of ["create", "replace"] as const) {
      let looks = 0;
      const verify = (): Promise<void> => {
        if (++looks === 1) {
          unlinkSync(join(data, "in/a"));
          writeFileSync(join(data, "in/other"), "KEPT");
          writeFileSync(join(data, "in/a"), "SWAPPED");
        }
        return Promise.resolve();
      };
      expect(await renamed(mode, { verify })).toMatchObject(unknown);
      for (const name of ["c", "other", "a"]) rmSync(join(data, "in", name), { force: true });
      writeFileSync(join(data, "in/a"), "A");
    }
  });
});
