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
import { readBounded, writeAtomic, writeNew } from "../../src/home/atomic.js";
import { writeBundle } from "../../src/home/bundles.js";
import { killFileExists, removeKillFile, writeKillFile } from "../../src/home/kill-file.js";
import { errnoOf, type HomePaths, homePaths, writeFault } from "../../src/home/paths.js";
import { errnoError, faultOf, freshFolder } from "./support.js";

let paths: HomePaths;

beforeEach(() => {
  paths = homePaths(join(freshFolder(), "h"));
  mkdirSync(paths.bundles, { recursive: true });
});

describe("writeAtomic", () => {
  it("replaces a file whole, with the mode it is given", async () => {
    const file = join(paths.home, "f");
    await writeAtomic(file, "one", 0o600);
    await writeAtomic(file, Uint8Array.of(50), 0o640);
    expect([readFileSync(file, "utf8"), statSync(file).mode & 0o777]).toEqual(["2", 0o640]);
    expect(readdirSync(paths.home)).toEqual(["bundles", "f"]);
  });

  it("gives the mode whatever the umask", async () => {
    const file = join(paths.home, "f");
    await writeAtomic(file, "", 0o666);
    expect(statSync(file).mode & 0o777).toBe(0o666);
  });

  it("leaves the old content and no temporary file when it fails", async () => {
    mkdirSync(join(paths.home, "f", "x"), { recursive: true });
    expect((await faultOf(() => writeAtomic(join(paths.home, "f"), "new"))).code).toBe("EXO_FILE");
    expect(readdirSync(paths.home)).toEqual(["bundles", "f"]);
  });

  it("keeps many writers of one file apart", async () => {
    const file = join(paths.home, "f");
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000));
    await Promise.all(texts.map((text) => writeAtomic(file, text)));
    expect(texts).toContain(readFileSync(file, "utf8"));
    expect(readdirSync(paths.home)).toEqual(["bundles", "f"]);
  });

  it("replaces a link, not what it leads to", async () => {
    const target = join(paths.home, "target");
    writeFileSync(target, "old");
    symlinkSync(target, join(paths.home, "f"));
    await writeAtomic(join(paths.home, "f"), "new");
    expect(readFileSync(target, "utf8")).toBe("old");
  });

  it("writes a new file only where there is none", async () => {
    const file = join(paths.home, "f");
    await writeNew(file, "one");
    await expect(writeNew(file, "two")).rejects.toThrow("EEXIST");
    expect(readFileSync(file, "utf8")).toBe("one");
  });

  it.each([
    ["EROFS", "EXO_HOME_READ_ONLY"],
    ["EACCES", "EXO_HOME_READ_ONLY"],
    ["EPERM", "EXO_HOME_READ_ONLY"],
    ["ENOSPC", "EXO_FILE"],
    ["EIO", "EXO_FILE"],
  ])("calls %s %s", (errno, code) => {
    const fault = writeFault(errnoError(errno), "f");
    expect([fault.code, fault.message]).toEqual([code, `f could not be written: ${errno}`]);
    expect(writeFault(fault, "g")).toBe(fault);
    expect(errnoOf(fault)).toBeUndefined();
    expect(errnoOf(new Error("x"))).toBeUndefined();
    expect(errnoOf("x")).toBeUndefined();
  });
});

describe("readBounded", () => {
  it("reads up to the bound and not one byte more", async () => {
    const file = join(paths.home, "f");
    writeFileSync(file, "1234");
    expect((await readBounded(file, { maxBytes: 4 }))?.bytes).toEqual(Uint8Array.of(49, 50, 51, 52));
    const fault = await faultOf(() => readBounded(file, { maxBytes: 3 }));
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${file} has 4 bytes, at most 3 are read`]);
  });

  it("tells a missing file from one that cannot be read", async () => {
    expect(await readBounded(join(paths.home, "none"), { maxBytes: 1 })).toBeUndefined();
    expect((await faultOf(() => readBounded(paths.bundles, { maxBytes: 1 }))).code).toBe("EXO_FILE");
    writeFileSync(join(paths.home, "f"), "");
    expect((await faultOf(() => readBounded(join(paths.home, "f", "x"), { maxBytes: 1 }))).code).toBe("EXO_FILE");
  });
});

describe("bundles", () => {
  it("are named by their intent", async () => {
    const id = "01K0000000000000000000000A";
    const file = await writeBundle(paths, id, Uint8Array.of(123));
    expect(file).toBe(join(paths.bundles, `${id}.proof.json`));
    expect(readFileSync(file, "utf8")).toBe("{");
  });

  it.each(["", "../x", "01k0000000000000000000000a"])("refuse the intent id %j", async (id) => {
    expect((await faultOf(() => writeBundle(paths, id, Uint8Array.of(1)))).code).toBe("EXO_ID");
    expect(readdirSync(paths.home)).toEqual(["bundles"]);
  });
});

describe("KILL file", () => {
  it("kills by its existence, until it is removed", async () => {
    expect(killFileExists(paths)).toBe(false);
    await writeKillFile(paths, "drill");
    expect(killFileExists(paths)).toBe(true);
    expect(readFileSync(paths.kill, "utf8")).toBe("drill\n");
    await removeKillFile(paths);
    await removeKillFile(paths);
    expect(killFileExists(paths)).toBe(false);
  });

  it.each<[string, () => void]>([
    ["an empty file", () => writeFileSync(paths.kill, "")],
    ["a folder", () => mkdirSync(paths.kill)],
    ["a dangling link", () => symlinkSync("/nowhere", paths.kill)],
    ["a file nobody may read", () => [writeFileSync(paths.kill, ""), chmodSync(paths.kill, 0)]],
  ])("kills as %s", (_, make) => {
    make();
    expect(killFileExists(paths)).toBe(true);
  });

  it("kills when it cannot be told", () => {
    expect(killFileExists({ ...paths, kill: "/\0" })).toBe(true);
    expect(killFileExists({ ...paths, kill: `/${"x".repeat(300)}` })).toBe(true);
    expect(existsSync(`/${"x".repeat(300)}`)).toBe(false);
  });
});
