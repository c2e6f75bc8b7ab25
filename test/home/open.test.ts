import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openHome, readPolicyFile } from "../../src/home/open.js";
import { errnoError, faultOf, freshFolder, freshHome } from "./support.js";

type Json = Record<string, unknown>;

async function homeWith(name: "config" | "trust", change: (value: Json) => unknown): Promise<string> {
  const { paths } = await freshHome();
  const value = JSON.parse(readFileSync(paths[name], "utf8")) as Json;
  const changed = change(value) ?? value;
  writeFileSync(paths[name], typeof changed === "string" ? changed : JSON.stringify(changed, null, 2));
  return paths.home;
}

describe("openHome", () => {
  it("opens what createHome made", async () => {
    const { paths, trust } = await freshHome();
    const home = await openHome(paths.home, { write: true });
    expect(home.trust).toEqual(trust);
    expect(home.log).toEqual(trust.logs[0]);
    expect(home.resolved.roots).toEqual({ data: { path: join(paths.base, "data"), access: "write" } });
    expect(home.resolved.tenants).toEqual(["default"]);
    expect(home.resolved.safety.sources).toEqual({ trustScore: "state", cellLoad: "measured", networkHealth: "off" });
  });

  it("says how to make a home where there is none", async () => {
    const dir = join(freshFolder(), "h");
    const fault = await faultOf(() => openHome(dir));
    expect(fault.code).toBe("EXO_HOME_MISSING");
    expect(fault.message).toBe(`${dir} does not exist; make it with: exoarmur init`);
  });

  it("says so too where there is a demo alone", async () => {
    const dir = join(freshFolder(), "h");
    mkdirSync(join(dir, "demo"), { recursive: true });
    writeFileSync(join(dir, "demo", "demo.json"), "{}");
    const fault = await faultOf(() => openHome(dir));
    expect(fault.code).toBe("EXO_HOME_MISSING");
    expect(fault.message).toBe(`${dir} holds a demo and no home; make it with: exoarmur init`);
  });

  it("refuses a home that is a file", async () => {
    const dir = join(freshFolder(), "h");
    writeFileSync(dir, "");
    expect((await faultOf(() => openHome(dir))).code).toBe("EXO_HOME_DAMAGED");
  });

  it.each(["config.json", "trust.json"])("names a missing %s", async (name) => {
    const { paths } = await freshHome();
    rmSync(join(paths.home, name));
    const fault = await faultOf(() => openHome(paths.home));
    expect(fault.code).toBe("EXO_HOME_DAMAGED");
    expect(fault.message).toBe(`${join(paths.home, name)} is missing`);
  });

  it.each(["data", "bundles", "inbox"] as const)("refuses to write without the folder %s", async (name) => {
    const { paths } = await freshHome();
    rmSync(paths[name], { recursive: true });
    expect((await faultOf(() => openHome(paths.home, { write: true }))).code).toBe("EXO_HOME_DAMAGED");
  });

  it("names file, line, pointer, expectation and finding of a wrong member", async () => {
    const home = await homeWith("config", (config) => ({ ...config, tenantId: 7 }));
    const fault = await faultOf(() => openHome(home));
    expect(fault.code).toBe("EXO_SCHEMA");
    expect(fault.message).toBe(`${home}/config.json, line 3: /tenantId: expected string, got 7`);
    expect(fault.place).toEqual({ file: `${home}/config.json`, line: 3, pointer: "/tenantId" });
  });

  it("names an unknown member", async () => {
    const home = await homeWith("config", (config) => ({ ...config, grant: {} }));
    const fault = await faultOf(() => openHome(home));
    expect(fault.code).toBe("EXO_SCHEMA");
    expect(fault.message).toBe(`${home}/config.json, line 38: /grant: expected no such member, got {}`);
  });

  it("refuses a key that is there twice, with its line", async () => {
    const home = await homeWith("config", (config) =>
      JSON.stringify(config, null, 2).replace('"features"', '"tenantId": "other",\n  "features"'),
    );
    const fault = await faultOf(() => openHome(home));
    expect(fault.code).toBe("EXO_JSON_DUPLICATE_KEY");
    expect(fault.message).toMatch(/config\.json, line 37: An object has a key twice/);
    expect(fault.place.line).toBe(37);
  });

  it.each<[string, (config: Json) => unknown, string]>([
    ["bytes that are no JSON", () => "{", "EXO_JSON_SYNTAX"],
    ["an empty file", () => "", "EXO_JSON_SYNTAX"],
    ["__proto__", () => '{"__proto__": {}}', "EXO_JSON_FORBIDDEN_KEY"],
    ["another version", (config) => ({ ...config, schema: "exoarmur.config/v2" }), "EXO_SCHEMA_VERSION"],
    ["another document", (config) => ({ ...config, schema: "exoarmur.trust/v1" }), "EXO_SCHEMA"],
    ["no schema", ({ schema: _, ...config }) => config, "EXO_SCHEMA"],
    ["a list", () => "[]", "EXO_SCHEMA"],
    ["an unknown capability", (config) => ({ ...config, grants: { fs: { net: {} } } }), "EXO_SCHEMA"],
    ["an unknown access", (config) => ({ ...config, roots: { data: { path: "d", access: "all" } } }), "EXO_SCHEMA"],
    ["a NUL in a path", (config) => ({ ...config, roots: { data: { path: "d\0", access: "read" } } }), "EXO_SCHEMA"],
  ])("refuses a config.json with %s", async (_, change, code) => {
    const home = await homeWith("config", change);
    const fault = await faultOf(() => openHome(home));
    expect(fault.code).toBe(code);
    expect(fault.place.file).toBe(`${home}/config.json`);
  });

  it("accepts $schema", async () => {
    const home = await homeWith("config", (config) => ({ $schema: "x", ...config }));
    expect((await openHome(home)).resolved.cellId).toBe("local");
  });

  it.each<[string, (trust: Json) => unknown, string]>([
    ["no log", (trust) => ({ ...trust, logs: [] }), "EXO_HOME_DAMAGED"],
    [
      "a log under another name than its key",
      (trust) => ({ ...trust, logs: [{ ...log(trust), origin: "other" }] }),
      "EXO_KEY",
    ],
    ["a malformed verifier key", (trust) => ({ ...trust, logs: [{ ...log(trust), vkey: "x" }] }), "EXO_KEY"],
    ["a malformed witness", (trust) => ({ ...trust, witnesses: { threshold: 1, vkeys: ["x"] } }), "EXO_KEY"],
    [
      "a key of small order",
      (trust) => ({ ...trust, keys: [{ ...key(trust), publicKey: identity }] }),
      "EXO_KEY_REFUSED",
    ],
    ["an unknown role", (trust) => ({ ...trust, keys: [{ ...key(trust), role: "king" }] }), "EXO_SCHEMA"],
    ["an unknown version", (trust) => ({ ...trust, schema: "exoarmur.trust/v9" }), "EXO_SCHEMA_VERSION"],
  ])("refuses a trust.json with %s", async (_, change, code) => {
    const home = await homeWith("trust", change);
    const fault = await faultOf(() => openHome(home));
    expect(fault.code).toBe(code);
    expect(fault.place.file).toBe(`${home}/trust.json`);
  });

  it("refuses a pipe in place of a file instead of waiting for it", async () => {
    const { paths } = await freshHome();
    rmSync(paths.config);
    mkdirSync(paths.config);
    expect((await faultOf(() => openHome(paths.home))).code).toBe("EXO_FILE");
  });
});

const identity = `AQ${"A".repeat(41)}=`;
const log = (trust: Json): object => (trust["logs"] as object[])[0] ?? {};
const key = (trust: Json): object => (trust["keys"] as object[])[0] ?? {};

describe("file systems", () => {
  it.each([
    [0x6969, "NFS"],
    [0x517b, "SMB"],
    [0xff534d42, "CIFS"],
    [-11317950, "CIFS"],
    [0xfe534d42, "SMB2"],
    [0x01021997, "9p"],
  ])("refuses a home on %s, %s", async (type, name) => {
    const { paths } = await freshHome();
    const fault = await faultOf(() => openHome(paths.home, { fileSystem: { statfs: async () => ({ type }) } }));
    expect(fault.code).toBe("EXO_HOME_NETWORK");
    expect(fault.message).toBe(`${paths.home} is on ${name}; a home needs a local file system`);
  });

  it("refuses a store mounted from the network", async () => {
    const { paths } = await freshHome();
    const statfs = async (path: string): Promise<{ type: number }> => ({ type: path === paths.data ? 0x6969 : 0xef53 });
    const fault = await faultOf(() => openHome(paths.home, { fileSystem: { statfs } }));
    expect([fault.code, fault.place.file]).toEqual(["EXO_HOME_NETWORK", paths.data]);
  });

  it.each([0xef53, 0x01021994, 0x794c7630, 0x65735546])("accepts a local file system, %s", async (type) => {
    const { paths } = await freshHome();
    await openHome(paths.home, { fileSystem: { statfs: async () => ({ type }) } });
  });

  it.each(["EROFS", "EACCES"])("refuses to write where the system says %s, and still reads there", async (code) => {
    const { paths } = await freshHome();
    const fileSystem = { access: () => Promise.reject(errnoError(code)) };
    const fault = await faultOf(() => openHome(paths.home, { write: true, fileSystem }));
    expect(fault.code).toBe("EXO_HOME_READ_ONLY");
    expect(fault.message).toBe(`${paths.home} cannot be written: ${code}`);
    await openHome(paths.home, { fileSystem });
  });
});

describe("keys of a home", () => {
  it("signs with every role's key, and reads it once", async () => {
    const { paths, keyIds } = await freshHome();
    const home = await openHome(paths.home);
    for (const role of ["runtime", "log", "approver", "operator", "policy-author"] as const) {
      expect(home.hasKey(role)).toBe(true);
      expect((await home.signer(role)).keyId).toBe(keyIds[role]);
    }
    expect(await home.signer("log")).toBe(await home.signer("log"));
    expect((await home.saltKey()).length).toBe(32);
  });

  it("names a key that is not there, and takes it when it comes back", async () => {
    const { paths } = await freshHome();
    const home = await openHome(paths.home);
    const file = join(paths.keys, "approver.key");
    const text = readFileSync(file);
    rmSync(file);
    expect(home.hasKey("approver")).toBe(false);
    const fault = await faultOf(() => home.signer("approver"));
    expect([fault.code, fault.message]).toEqual(["EXO_HOME_DAMAGED", `${file} does not exist`]);
    writeFileSync(file, text, { mode: 0o600 });
    expect((await home.signer("approver")).publicKey.length).toBe(32);
  });

  it.each(["runtime", "log"] as const)("refuses a %s key that the trust file does not name", async (role) => {
    const [one, other] = [await freshHome(), await freshHome()];
    writeFileSync(join(one.paths.keys, `${role}.key`), readFileSync(join(other.paths.keys, `${role}.key`)));
    const fault = await faultOf(async () => (await openHome(one.paths.home)).signer(role));
    expect(fault.code).toBe("EXO_TRUST");
  });

  it("refuses a salt key that others may read, is short or missing", async () => {
    const { paths } = await freshHome();
    const home = await openHome(paths.home);
    const file = join(paths.keys, "salt.key");
    chmodSync(file, 0o640);
    expect((await faultOf(() => home.saltKey())).code).toBe("EXO_KEY_MODE");
    chmodSync(file, 0o600);
    writeFileSync(file, '{"schema":"exoarmur.salt/v1","key":"AAAA"}');
    expect((await faultOf(() => home.saltKey())).code).toBe("EXO_KEY");
    rmSync(file);
    expect((await faultOf(() => home.saltKey())).code).toBe("EXO_HOME_DAMAGED");
  });
});

describe("readPolicyFile", () => {
  it("finds the policy in each of its spellings", async () => {
    const { paths } = await freshHome();
    expect((await readPolicyFile(paths)).file).toBe(paths.policy);
    rmSync(paths.policy);
    writeFileSync(join(paths.home, "policy.yaml"), "x");
    expect(await readPolicyFile(paths)).toEqual({ file: join(paths.home, "policy.yaml"), bytes: Uint8Array.of(0x78) });
  });

  it("refuses none and two", async () => {
    const { paths } = await freshHome();
    writeFileSync(join(paths.home, "policy.yml"), "x");
    const fault = await faultOf(() => readPolicyFile(paths));
    expect(fault.code).toBe("EXO_HOME_DAMAGED");
    expect(fault.message).toBe(`${paths.policy} and ${join(paths.home, "policy.yml")} are both there; keep one`);
    rmSync(join(paths.home, "policy.yml"));
    rmSync(paths.policy);
    expect((await faultOf(() => readPolicyFile(paths))).message).toBe(`${paths.policy} is missing`);
  });
});

describe("a home behind a link", () => {
  it("holds its roots relative to the folder of the link", async () => {
    const { paths } = await freshHome();
    const elsewhere = freshFolder();
    symlinkSync(paths.home, join(elsewhere, "h"));
    expect((await openHome(join(elsewhere, "h"))).resolved.roots["data"]?.path).toBe(join(elsewhere, "data"));
  });
});
