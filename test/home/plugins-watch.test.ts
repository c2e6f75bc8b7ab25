import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import type { HomePaths } from "../../src/home/paths.js";
import { installPlugin } from "../../src/home/plugin-install.js";
import { isWhole, readPlugins } from "../../src/home/plugins.js";
import { markPlugins, type PluginChange, watchPlugins } from "../../src/home/plugins-watch.js";
import { assemble } from "../wasm/support.js";
import { faultOf, freshHome, manifestBytes } from "./support.js";

let paths: HomePaths;
let watch: { close(): Promise<void> } | undefined;
let changes: PluginChange[];

/** Two modules of different sizes. */
const modules = [1, 2].map((value) =>
  assemble(`(module (func (export "run") (result i32) (i32.const ${value}) (drop) (i32.const 0))
    (data (i32.const 0) "${"x".repeat(value * 1000)}") (memory 1))`),
);
const moduleOf = (at: number): Uint8Array => modules[at % 2] as Uint8Array;
const put = (name: string, bytes: Uint8Array | string): void => writeFileSync(join(paths.plugins, name), bytes);
const pinned = (name: string, at: number): Uint8Array =>
  manifestBytes(name, { version: `1.0.${at}`, wasm: { digest: digestOf(moduleOf(at)) } });
const install = async (name: string, at: number): Promise<void> =>
  await installPlugin(paths, {
    name,
    wasm: moduleOf(at),
    manifest: new TextDecoder().decode(pinned(name, at)),
    signed: undefined,
  });

async function open(onChange = (_change: PluginChange): Promise<void> => Promise.resolve()): Promise<void> {
  const known = await markPlugins(paths);
  watch = watchPlugins(paths, known, async (change) => {
    changes.push(change);
    await onChange(change);
  });
}

/** Waits until a change is told that fits. */
async function told(fits: (change: PluginChange) => boolean): Promise<PluginChange> {
  for (;;) {
    const found = changes.find(fits);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const isOf = (name: string, version: string) => (change: PluginChange) =>
  change.name === name && change.plugin?.manifest?.version === version;

beforeEach(async () => {
  paths = (await freshHome()).paths;
  changes = [];
});

afterEach(async () => {
  await watch?.close();
  watch = undefined;
});

describe("the watched plugins folder", () => {
  it("tells what is added, replaced and taken away, and nothing of what stands", async () => {
    await open();
    await install("adder", 1);
    expect((await told(isOf("adder", "1.0.1"))).plugin?.wasm).toEqual(moduleOf(1));
    await install("adder", 2);
    expect((await told(isOf("adder", "1.0.2"))).plugin?.wasm).toEqual(moduleOf(2));
    for (const ending of [".json", ".wasm"]) rmSync(join(paths.plugins, `adder${ending}`));
    await told(({ name, plugin }) => name === "adder" && plugin === null);
    expect(changes.map(({ name }) => name)).toEqual(["adder", "adder", "adder"]);
  });

  it("tells what changed between the first reading and the watch", async () => {
    const known = await markPlugins(paths);
    await install("early", 1);
    watch = watchPlugins(paths, known, async (change) => void changes.push(change));
    expect((await told(isOf("early", "1.0.1"))).plugin?.wasm).toEqual(moduleOf(1));
  });

  it("a module that is written in parts is read when it is whole", async () => {
    await open();
    const whole = moduleOf(1);
    put("slow.json", manifestBytes("slow"));
    for (const part of [4, 8, 60, whole.length - 3]) {
      put("slow.wasm", whole.slice(0, part));
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    put("slow.wasm", whole);
    expect((await told(({ plugin }) => plugin !== null)).plugin?.wasm).toEqual(whole);
    expect(changes).toHaveLength(1);
  });

  it("a module that replaces one piece by piece is read when it is its manifest's", async () => {
    put("pair.json", pinned("pair", 1));
    put("pair.wasm", moduleOf(1));
    await open();
    put("pair.wasm", moduleOf(2));
    await new Promise((resolve) => setTimeout(resolve, 350));
    put("pair.json", pinned("pair", 2));
    await told(isOf("pair", "1.0.2"));
    expect(changes.map(({ plugin }) => plugin !== null && isWhole(plugin))).toEqual([true]);
  });

  it("what does not become whole is told as it is", async () => {
    await open();
    put("half.json", pinned("half", 1));
    put("half.wasm", moduleOf(1).slice(0, 50));
    put("bare.wasm", moduleOf(1));
    const half = await told(({ name }) => name === "half");
    expect(half.plugin?.problem).toBeUndefined();
    expect(half.plugin !== null && isWhole(half.plugin)).toBe(false);
    const bare = await told(({ name }) => name === "bare");
    expect(bare.plugin?.problem).toMatchObject({ code: "EXO_PLUGIN_REFUSED" });
  });

  it("of many quick replacements every one that is told is whole, and the last is told", async () => {
    await open();
    for (let at = 1; at <= 40; at++) await install("busy", at);
    await told(isOf("busy", "1.0.40"));
    for (const { plugin } of changes) expect(plugin !== null && isWhole(plugin)).toBe(true);
  });

  it("a file that is only touched is told again, and is the same", async () => {
    await open();
    const file = join(paths.plugins, "echo.wasm");
    utimesSync(file, new Date(1_000_000), new Date(1_000_000));
    expect((await told(({ name }) => name === "echo")).plugin?.manifest?.name).toBe("echo");
  });

  it("what could not be carried out is tried again", async () => {
    let failures = 2;
    await open(() => (failures-- > 0 ? Promise.reject(new Error("not now")) : Promise.resolve()));
    await install("again", 1);
    while (failures >= 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(changes.map(({ name }) => name)).toEqual(["again", "again", "again"]);
  });

  it("tells nothing once it is closed", async () => {
    await open();
    await install("late", 1);
    await watch?.close();
    const count = changes.length;
    await install("late", 2);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(changes).toHaveLength(count);
  });

  it("passes over what is no plugin's, and over temporary files", async () => {
    await open();
    put(".x.wasm.1-1.tmp", "x");
    put("README.md", "x");
    mkdirSync(join(paths.plugins, "folder"));
    await install("real", 1);
    await told(isOf("real", "1.0.1"));
    expect(changes.map(({ name }) => name)).toEqual(["real"]);
  });

  it("a folder that is gone is an empty one, and is watched when it is back", async () => {
    await open();
    const aside = `${paths.plugins}.aside`;
    renameSync(paths.plugins, aside);
    await told(({ name, plugin }) => name === "echo" && plugin === null);
    renameSync(aside, paths.plugins);
    await told(({ name, plugin }) => name === "echo" && plugin !== null);
  });

  it("a folder that cannot be read is damage", async () => {
    rmSync(paths.plugins, { recursive: true });
    put("../plugins", "no folder");
    expect((await faultOf(() => markPlugins(paths))).code).toBe("EXO_HOME_DAMAGED");
  });
});

describe("links in the plugins folder", () => {
  it.each(["linked.wasm", "linked.json", "linked.signed.json"])("%s is not followed", async (link) => {
    await install("linked", 1);
    const outside = join(paths.home, "outside");
    const file = join(paths.plugins, link);
    if (link === "linked.signed.json") put(link, "{}");
    renameSync(file, outside);
    symlinkSync(outside, file);
    const [plugin] = (await readPlugins({ paths })).filter(({ name }) => name === "linked");
    expect(plugin?.problem).toMatchObject({ code: "EXO_FILE", message: expect.stringMatching(/ELOOP/) });
  });

  it("installing over a link replaces the link, and leaves alone what it points at", async () => {
    const outside = join(paths.home, "outside.wasm");
    writeFileSync(outside, "untouched");
    symlinkSync(outside, join(paths.plugins, "linked.wasm"));
    await install("linked", 1);
    const [plugin] = (await readPlugins({ paths })).filter(({ name }) => name === "linked");
    expect(plugin?.wasm).toEqual(moduleOf(1));
    expect(readFileSync(outside, "utf8")).toBe("untouched");
  });
});
