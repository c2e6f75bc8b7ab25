import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasOrders, takeOrders } from "../../src/home/inbox.js";
import { openHome } from "../../src/home/open.js";
import type { HomePaths } from "../../src/home/paths.js";
import { readPlugins } from "../../src/home/plugins.js";
import { faultOf, freshFolder, freshHome, manifestBytes } from "../home/support.js";

const makePipe = (file: string): unknown => spawnSync("mkfifo", [file]).status;

function putRoot(paths: HomePaths, path: string): void {
  const config = JSON.parse(readFileSync(paths.config, "utf8")) as { roots: object };
  writeFileSync(paths.config, JSON.stringify({ ...config, roots: { data: { path, access: "write" } } }));
}

describe("roots that would let an executor into the home", () => {
  it.each([
    ["the folder that holds the home", "."],
    ["a folder above it", ".."],
    ["everything", "/"],
    ["the home", ".exoarmur"],
    ["the home, spelled otherwise", "./data/../.exoarmur/."],
    ["its keys", ".exoarmur/keys"],
    ["a folder in its keys", ".exoarmur/keys/deep/deeper"],
    ["its store", ".exoarmur/data"],
    ["its plugins", ".exoarmur/plugins"],
    ["its bundles", ".exoarmur/bundles"],
    ["its inbox", ".exoarmur/inbox"],
  ])("are refused: %s", async (_, path) => {
    const { paths } = await freshHome();
    putRoot(paths, path);
    const fault = await faultOf(() => openHome(paths.home));
    expect(fault.code).toBe("EXO_SCHEMA");
    expect(fault.place).toEqual({ file: paths.config, pointer: "/roots/data/path" });
  });

  it("are refused with what was expected", async () => {
    const { paths } = await freshHome();
    const at = `${paths.config}: /roots/data/path: expected`;
    putRoot(paths, ".");
    expect((await faultOf(() => openHome(paths.home))).message).toBe(
      `${at} a folder that does not hold the home, got ${paths.base}`,
    );
    putRoot(paths, paths.keys);
    expect((await faultOf(() => openHome(paths.home))).message).toBe(
      `${at} a folder apart from those of the home ${paths.home}, got ${paths.keys}`,
    );
  });

  it.each(["", "keys"])("are refused through a link to the home's /%s", async (inner) => {
    const { paths } = await freshHome();
    symlinkSync(join(paths.home, inner), join(paths.base, "link"));
    putRoot(paths, "./link");
    expect((await faultOf(() => openHome(paths.home))).code).toBe("EXO_SCHEMA");
  });

  it("are refused where a link of the home leads into them", async () => {
    const { paths } = await freshHome();
    rmSync(paths.keys, { recursive: true });
    mkdirSync(join(paths.base, "data", "keys"));
    symlinkSync(join(paths.base, "data", "keys"), paths.keys);
    expect((await faultOf(() => openHome(paths.home))).code).toBe("EXO_SCHEMA");
  });

  it("are refused in another home's store", async () => {
    const [one, other] = [await freshHome(), await freshHome()];
    putRoot(one.paths, other.paths.data);
    expect((await faultOf(() => openHome(one.paths.home))).code).toBe("EXO_SCHEMA");
    putRoot(one.paths, other.paths.home);
    expect((await faultOf(() => openHome(one.paths.home))).code).toBe("EXO_SCHEMA");
  });

  it("are told from folders with a like name", async () => {
    const { paths } = await freshHome();
    for (const path of ["./.exoarmur-files", "./..data", ".exoarmur/files", "./nothing/there/yet", freshFolder()]) {
      putRoot(paths, path);
      await openHome(paths.home);
    }
  });
});

describe("files that are not what they seem", () => {
  it("cannot make the home wait: a pipe", async () => {
    const { paths } = await freshHome();
    for (const file of [paths.trust, join(paths.plugins, "pipe.wasm"), join(paths.inbox, "a.order.json")]) {
      rmSync(file, { force: true });
      expect(makePipe(file)).toBe(0);
    }
    const fault = await faultOf(() => openHome(paths.home));
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${paths.trust} is no plain file`]);
    writeFileSync(join(paths.plugins, "pipe.json"), manifestBytes("pipe"));
    const plugins = await readPlugins({ paths });
    expect(plugins.map(({ name, problem }) => [name, problem?.code])).toEqual([
      ["echo", undefined],
      ["pipe", "EXO_FILE"],
    ]);
    expect(await takeOrders(paths)).toEqual([]);
    expect(hasOrders(paths)).toBe(false);
  });

  it("cannot stay in the inbox: a folder named like an order", async () => {
    const { paths } = await freshHome();
    mkdirSync(join(paths.inbox, "a.order.json", "x"), { recursive: true });
    expect(await takeOrders(paths)).toEqual([]);
    mkdirSync(join(paths.inbox, "a.order.json", "x"), { recursive: true });
    expect(await takeOrders(paths)).toEqual([]);
    expect(hasOrders(paths)).toBe(false);
    expect(readdirSync(paths.refused).sort()).toEqual(["a.2.order.json", "a.order.json"]);
  });

  it("cannot fill memory: a device", async () => {
    const { paths } = await freshHome();
    rmSync(paths.config);
    symlinkSync("/dev/zero", paths.config);
    expect((await faultOf(() => openHome(paths.home))).message).toBe(`${paths.config} is no plain file`);
  });
});
