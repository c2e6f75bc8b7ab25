import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCanonical } from "../../src/canonical/read.js";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import { parseVkey } from "../../src/crypto/note-key.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { createHome } from "../../src/home/create.js";
import { openHome } from "../../src/home/open.js";
import { readPolicy } from "../../src/policy/read.js";
import { emptyWasm, faultOf, freshFolder, freshHome, manifestBytes } from "./support.js";

const options = { entropy: systemEntropy, bundledPlugins: [] };
const modeOf = (file: string): number => statSync(file).mode & 0o777;

function demoIn(home: string): void {
  mkdirSync(join(home, "demo"), { recursive: true });
  writeFileSync(join(home, "demo", "demo.json"), "{}");
}

describe("createHome", () => {
  it("makes every file and folder, and nothing else beside them", async () => {
    const { paths } = await freshHome();
    expect(readdirSync(paths.home).sort()).toEqual(
      [".gitignore", "bundles", "config.json", "data", "inbox", "keys", "plugins", "policy.json", "trust.json"].sort(),
    );
    expect(readdirSync(paths.base).sort()).toEqual([".exoarmur", "data"]);
    expect(readdirSync(paths.plugins).sort()).toEqual(["echo.json", "echo.wasm"]);
    const files = ["approver.key", "author.key", "log.key", "operator.key", "runtime.key", "salt.key"];
    expect(readdirSync(paths.keys).sort()).toEqual(files);
  });

  it("keeps keys to their owner", async () => {
    const { paths } = await freshHome();
    expect(modeOf(paths.home)).toBe(0o700);
    expect(modeOf(paths.keys)).toBe(0o700);
    for (const name of readdirSync(paths.keys)) expect(modeOf(join(paths.keys, name))).toBe(0o600);
    expect(modeOf(paths.config)).toBe(0o644);
  });

  it("writes the configuration and policy a person starts from", async () => {
    const { paths } = await freshHome();
    expect(JSON.parse(readFileSync(paths.config, "utf8"))).toEqual({
      schema: "exoarmur.config/v1",
      tenantId: "default",
      cellId: "local",
      roots: { data: { path: "./data", access: "write" } },
      grants: {
        fs: { fs_read: { roots: ["data"] }, fs_list: { roots: ["data"] }, fs_remove: { roots: ["data"] } },
        "table-stats": { fs_read: { roots: ["data"] } },
      },
      features: {},
    });
    const policy = readPolicy(readFileSync(paths.policy), paths.policy) as PolicyDocument;
    expect(policy.rules.map(({ id, verdict }) => [id, verdict])).toEqual([
      ["allow-stats", "allow"],
      ["delete-needs-a-person", "require_approval"],
    ]);
    expect(policy.rules[1]?.obligations).toEqual({
      approvals: 1,
      roles: ["approver"],
      expiresInSeconds: 900,
      narrow: { fs_remove: { paths: ["{target}"] } },
    });
  });

  it("writes a canonical trust file without any secret in it", async () => {
    const { paths, trust, keyIds } = await freshHome();
    const bytes = readFileSync(paths.trust);
    expect(parseCanonical(bytes)).toEqual(trust);
    expect(trust.keys.map(({ role, id, from, until }) => [role, id, from, until])).toEqual([
      ["runtime", "runtime", null, null],
      ["log", "log", null, null],
      ["approver", "approver", null, null],
      ["operator", "operator", null, null],
      ["policy-author", "author", null, null],
    ]);
    expect(trust.witnesses).toEqual({ threshold: 0, vkeys: [] });
    for (const name of readdirSync(paths.keys)) {
      const { seed, key } = JSON.parse(readFileSync(join(paths.keys, name), "utf8")) as Record<string, string>;
      expect(bytes.toString()).not.toContain(seed ?? key);
    }
    const origin = `exoarmur/local/${keyIds.log?.slice(0, 16)}`;
    expect(trust.logs[0]?.origin).toBe(origin);
    expect(parseVkey(trust.logs[0]?.vkey ?? "").name).toBe(origin);
  });

  it("gives two homes different keys and log origins", async () => {
    const [one, other] = [await freshHome(), await freshHome()];
    expect(one.trust.logs[0]?.origin).not.toBe(other.trust.logs[0]?.origin);
    const publicKeys = new Set([...one.trust.keys, ...other.trust.keys].map(({ publicKey }) => publicKey));
    expect(publicKeys.size).toBe(10);
  });

  it("says what it made, by the path it was given", async () => {
    const folder = freshFolder();
    const { files } = await createHome(`${folder}/x/h`, options);
    expect(files.map(({ path }) => path.replace(folder, ""))).toEqual([
      "/x/h/config.json",
      "/x/h/policy.json",
      "/x/h/trust.json",
      "/x/h/plugins/",
      "/x/h/keys/",
      "/x/data",
    ]);
    expect(files[0]?.about).toBe("what executors may touch: data -> ./data (read, write)");
    const again = await createHome(`${folder}/x/h2`, options);
    expect(again.files.map(({ path }) => path)).not.toContain(join(folder, "x/data"));
  });

  it("fills an empty folder", async () => {
    const home = join(freshFolder(), "h");
    mkdirSync(home);
    await createHome(home, options);
    expect((await openHome(home)).resolved.cellId).toBe("local");
  });

  it.each([
    ["a home", (home: string) => createHome(home, options)],
    ["a folder with a file in it", (home: string) => [mkdirSync(home), writeFileSync(join(home, "x"), "")]],
    ["a folder that is called demo and is none", (home: string) => mkdirSync(join(home, "demo"), { recursive: true })],
    [
      "a demo and a file beside it",
      (home: string) => {
        demoIn(home);
        writeFileSync(join(home, "x"), "");
      },
    ],
    ["a file", (home: string) => writeFileSync(home, "")],
    ["a dangling link", (home: string) => symlinkSync("/nowhere", home)],
  ])("refuses where there is %s and leaves it as it is", async (_, make) => {
    const folder = freshFolder();
    const home = join(folder, "h");
    await make(home);
    const before = readdirSync(folder);
    const fault = await faultOf(() => createHome(home, options));
    expect(fault.code).toBe("EXO_HOME_EXISTS");
    expect(fault.message).toBe(`${home} exists already`);
    expect(readdirSync(folder)).toEqual(before);
  });

  it("lets a demo be that was played there before, and makes the home around it", async () => {
    const home = join(freshFolder(), "h");
    demoIn(home);
    const { paths } = await createHome(home, options);
    expect(readFileSync(join(home, "demo", "demo.json"), "utf8")).toBe("{}");
    expect(existsSync(paths.config)).toBe(true);
    expect((await openHome(home)).resolved.cellId).toBe("local");
    expect(readdirSync(paths.base).sort()).toEqual(["data", "h"]);
  });

  it("lets one of two at once win", async () => {
    const home = join(freshFolder(), "h");
    const ends = await Promise.allSettled([createHome(home, options), createHome(home, options)]);
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const lost = ends.find((end) => end.status === "rejected");
    expect(lost?.reason).toMatchObject({ code: "EXO_HOME_EXISTS" });
    expect((await (await openHome(home)).signer("runtime")).keyId).toMatch(/^[0-9a-f]{32}$/);
    expect(readdirSync(join(home, "..")).filter((name) => name.includes(".new-"))).toEqual([]);
  });

  it("leaves nothing when it fails half-way", async () => {
    const folder = freshFolder();
    const twice = { name: "echo", wasm: emptyWasm, manifest: manifestBytes("echo") };
    const fault = await faultOf(() => createHome(join(folder, "h"), { ...options, bundledPlugins: [twice, twice] }));
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${join(folder, "h")} could not be written: EEXIST`]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    [
      "a plugin name that leaves the folder",
      { bundledPlugins: [{ name: "../x", wasm: emptyWasm, manifest: emptyWasm }] },
    ],
    ["a cell id with a space", { cellId: "a b" }],
    ["a cell id with a plus", { cellId: "a+b" }],
    ["an empty tenant", { tenantId: "" }],
    ["a data path that holds the home", { dataPath: "." }],
    ["a data path inside the home's keys", { dataPath: "./h/keys" }],
  ])("refuses %s", async (_, extra) => {
    const folder = freshFolder();
    const fault = await faultOf(() => createHome(join(folder, "h"), { ...options, ...extra }));
    expect(fault.code).toBe("EXO_SCHEMA");
    expect(existsSync(join(folder, "h"))).toBe(false);
  });

  it("refuses a file in the place of the data folder", async () => {
    const folder = freshFolder();
    writeFileSync(join(folder, "data"), "");
    const fault = await faultOf(() => createHome(join(folder, "h"), options));
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${join(folder, "data")} is no folder`]);
    expect(readdirSync(folder)).toEqual(["data"]);
  });

  it("refuses the store of a home that lies above as data folder", async () => {
    const { paths } = await freshHome();
    const fault = await faultOf(() => createHome(join(paths.home, "demo"), options));
    expect(fault.code).toBe("EXO_SCHEMA");
    expect(fault.place.pointer).toBe("/roots/data/path");
    await createHome(join(paths.home, "demo"), { ...options, dataPath: "./demo/files" });
    expect((await openHome(join(paths.home, "demo"))).resolved.roots["data"]?.path).toBe(
      join(paths.home, "demo/files"),
    );
  });
});
