import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { HomePaths } from "../../src/home/paths.js";
import { readPlugins } from "../../src/home/plugins.js";
import { emptyWasm, faultOf, freshHome, manifestBytes } from "./support.js";

let paths: HomePaths;

beforeEach(async () => {
  paths = (await freshHome()).paths;
});

const put = (name: string, bytes: Uint8Array | string): void => writeFileSync(join(paths.plugins, name), bytes);
const problemOf = async (name: string): Promise<string | undefined> => {
  const plugins = await readPlugins({ paths });
  expect(plugins.find((plugin) => plugin.name === "echo")?.wasm).toEqual(emptyWasm);
  return plugins.find((plugin) => plugin.name === name)?.problem?.code;
};

describe("readPlugins", () => {
  it("reads modules and manifests in the order of their names", async () => {
    put("abc.json", manifestBytes("abc"));
    put("abc.wasm", emptyWasm);
    const plugins = await readPlugins({ paths });
    expect(plugins.map(({ name }) => name)).toEqual(["abc", "echo"]);
    expect(plugins[1]?.manifest?.functions).toEqual([{ name: "run", action: "echo.run" }]);
    expect(plugins[1]?.file).toBe(join(paths.plugins, "echo.json"));
  });

  it("passes over what is no plugin", async () => {
    put("README.md", "x");
    put(".hidden.json", "x");
    put(".x.wasm.1-1.tmp", "x");
    mkdirSync(join(paths.plugins, "folder"));
    expect((await readPlugins({ paths })).map(({ name }) => name)).toEqual(["echo"]);
  });

  it("tells a manifest without a module and a module without a manifest", async () => {
    put("a.json", manifestBytes("a"));
    put("b.wasm", emptyWasm);
    expect(await problemOf("a")).toBe("EXO_PLUGIN_REFUSED");
    expect(await problemOf("b")).toBe("EXO_PLUGIN_REFUSED");
    const [a, b] = await readPlugins({ paths });
    expect(a?.problem?.message).toBe(`${join(paths.plugins, "a.wasm")}: is missing`);
    expect(b?.problem?.message).toBe(`${join(paths.plugins, "b.json")}: is missing; exoarmur plugins add writes it`);
  });

  it.each<[string, string, Uint8Array | string, string]>([
    ["no JSON", "bad", "{", "EXO_JSON_SYNTAX"],
    ["an unknown member", "bad", manifestBytes("bad", { wasmm: 1 }), "EXO_SCHEMA"],
    ["an unknown capability", "bad", manifestBytes("bad", { capabilities: [{ name: "net" }] }), "EXO_SCHEMA"],
    ["another version", "bad", manifestBytes("bad", { schema: "exoarmur.executor/v2" }), "EXO_SCHEMA_VERSION"],
    ["another name than its file", "bad", manifestBytes("echo"), "EXO_PLUGIN_REFUSED"],
    ["a file name that is no executor's", "Bad", manifestBytes("bad"), "EXO_PLUGIN_REFUSED"],
  ])("refuses a manifest with %s and keeps the others", async (_, name, bytes, code) => {
    put(`${name}.json`, bytes);
    put(`${name}.wasm`, emptyWasm);
    expect(await problemOf(name)).toBe(code);
  });

  it("names the line of a wrong member", async () => {
    put("bad.json", new TextDecoder().decode(manifestBytes("bad", { x: 1 })).replaceAll(",", ",\n"));
    put("bad.wasm", emptyWasm);
    const [bad] = await readPlugins({ paths });
    expect(bad?.problem?.message).toBe(
      `${join(paths.plugins, "bad.json")}, line 6: /x: expected no such member, got 1`,
    );
  });

  it("does not read a module of 100 MB", async () => {
    put("big.json", manifestBytes("big"));
    put("big.wasm", "");
    truncateSync(join(paths.plugins, "big.wasm"), 100_000_000);
    const before = process.memoryUsage().rss;
    const [big] = await readPlugins({ paths });
    expect(big?.problem).toEqual({
      code: "EXO_FILE",
      message: `${join(paths.plugins, "big.wasm")} has 100000000 bytes, at most 67108864 are read`,
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
  });

  it("refuses a folder in the place of a module", async () => {
    put("dir.json", manifestBytes("dir"));
    mkdirSync(join(paths.plugins, "dir.wasm"));
    expect(await problemOf("dir")).toBe("EXO_FILE");
  });

  it("does not go on without the folder", async () => {
    rmSync(paths.plugins, { recursive: true });
    expect((await faultOf(() => readPlugins({ paths }))).code).toBe("EXO_HOME_DAMAGED");
  });
});
