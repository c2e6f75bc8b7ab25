import { describe, expect, it } from "vitest";
import { checkGrant } from "../../src/capabilities/grant-check.js";
import type { CapabilityName } from "../../src/contracts/imports.js";
import type { Constraints, Grants } from "../../src/contracts/manifest.js";
import type { AbiValue } from "../../src/ports.js";
import { grantsOf } from "./support.js";

function check(grants: Grants, capability: CapabilityName, request: Readonly<Record<string, AbiValue>>): string {
  const result = checkGrant(grants, capability, request, "table-stats");
  return result.ok ? "ok" : `${result.error.code}: ${result.error.message}`;
}

const read = (constraints: Constraints): Grants => grantsOf({ fs_read: constraints });

describe("checkGrant", () => {
  it("denies what is not granted, with the line to add", () => {
    expect(check(grantsOf({}), "fs_read", { path: "data/a" })).toBe(
      'EXO_CAPABILITY_DENIED: fs_read is not granted; its manifest must list it and config.json must grant it: "grants": {"table-stats":{"fs_read":{"roots":["data"]}}}',
    );
    expect(check(grantsOf({}), "clock_now", {})).toMatch(/"grants": \{"table-stats":\{"clock_now":\{\}\}\}$/);
    expect(check(grantsOf({ fs_read: { roots: ["data"] } }), "fs_stat", { path: "data/a" })).toMatch(
      /^EXO_CAPABILITY_DENIED/,
    );
  });

  it("grants log to everybody, within its cap", () => {
    expect(check(grantsOf({}), "log", { level: "info", message: "x" })).toBe("ok");
    expect(check(grantsOf({ log: { maxBytes: 2 } }), "log", { level: "info", message: "é" })).toBe("ok");
    expect(check(grantsOf({ log: { maxBytes: 2 } }), "log", { level: "info", message: "éx" })).toMatch(
      /at most 2 bytes/,
    );
  });

  it("denies every root when none is named", () => {
    expect(check(read({}), "fs_read", { path: "data/a" })).toBe(
      'EXO_CAPABILITY_DENIED: fs_read is not granted for root "data"; add "data" to grants.table-stats.fs_read.roots in config.json',
    );
    expect(check(read({ roots: [] }), "fs_read", { path: "data/a" })).toMatch(/^EXO_CAPABILITY_DENIED/);
  });

  it.each(["other/a", "Data/a", "data2", "dat", "DATA", "__proto__/a", "constructor"])("denies root of %s", (path) => {
    expect(check(read({ roots: ["data"] }), "fs_read", { path })).toMatch(/^EXO_CAPABILITY_DENIED/);
  });

  it("repeats no first segment that is not an alias", () => {
    expect(check(read({ roots: ["data"] }), "fs_read", { path: 'x"; rm -rf/a' })).toBe(
      "EXO_CAPABILITY_DENIED: fs_read is not granted for root the path's first segment; add the path's first segment to grants.table-stats.fs_read.roots in config.json",
    );
    expect(check(grantsOf({}), "fs_read", { path: 'x"/a' })).toMatch(/\{"roots":\["data"\]\}\}\}$/);
  });

  it.each([
    "/etc/passwd",
    "data/../x",
    "data//a",
    "data/",
    "",
    "data/.",
    "data\\a",
    "data/a\0b",
    "C:/x",
    "../data",
    ".",
  ])("refuses the path %j", (path) => {
    expect(check(read({ roots: ["data"] }), "fs_read", { path })).toMatch(/^EXO_FS_PATH: /);
  });

  it("narrows to paths, segment by segment", () => {
    const grants = read({ roots: ["data"], paths: ["data/in", "data/one.csv"] });
    for (const path of ["data/in", "data/in/a", "data/in/a/b", "data/one.csv"]) {
      expect(check(grants, "fs_read", { path })).toBe("ok");
    }
    for (const path of ["data", "data/input", "data/one.csv2", "data/In/a", "data/other"]) {
      expect(check(grants, "fs_read", { path })).toMatch(/^EXO_CAPABILITY_DENIED: .*narrower paths$/);
    }
  });

  it("reads no paths as none, and a malformed one as nothing", () => {
    expect(check(read({ roots: ["data"], paths: [] }), "fs_read", { path: "data/a" })).toMatch(
      /^EXO_CAPABILITY_DENIED/,
    );
    for (const base of ["/data", "data/../data", "{target}", "data/"]) {
      expect(check(read({ roots: ["data"], paths: [base] }), "fs_read", { path: "data/a" })).toMatch(/narrower paths/);
    }
  });

  it("does not let paths widen roots", () => {
    expect(check(read({ roots: ["data"], paths: ["other"] }), "fs_read", { path: "other/a" })).toMatch(
      /for root "other"/,
    );
  });

  it("bounds the bytes of a call", () => {
    const grants = grantsOf({
      fs_read: { roots: ["data"], maxBytes: 10 },
      fs_write: { roots: ["data"], maxBytes: 10 },
      random_bytes: { maxBytes: 10 },
    });
    expect(check(grants, "fs_read", { path: "data/a", length: 10 })).toBe("ok");
    expect(check(grants, "fs_read", { path: "data/a", length: 11 })).toMatch(/at most 10 bytes/);
    expect(check(grants, "fs_write", { path: "data/a", bytes: new Uint8Array(11), mode: "create" })).toMatch(
      /at most 10/,
    );
    expect(check(grants, "random_bytes", { length: 11 })).toMatch(/^EXO_CAPABILITY_DENIED/);
  });

  it("caps at 16 MiB by default and at 32 MiB whatever is granted", () => {
    expect(check(read({ roots: ["data"] }), "fs_read", { path: "data/a", length: 16_777_217 })).toMatch(/16777216/);
    const wide = read({ roots: ["data"], maxBytes: 1_073_741_824 });
    expect(check(wide, "fs_read", { path: "data/a", length: 33_554_432 })).toBe("ok");
    expect(check(wide, "fs_read", { path: "data/a", length: 33_554_433 })).toMatch(/33554432/);
  });

  it("wants both paths of a rename inside the grant", () => {
    const rename = (constraints: Constraints, path: string, to: string): string =>
      check(grantsOf({ fs_rename: constraints }), "fs_rename", { path, to, mode: "create" });
    expect(rename({ roots: ["data"] }, "data/a", "data/b")).toBe("ok");
    expect(rename({ roots: ["data", "out"] }, "data/a", "out/b")).toBe("ok");
    for (const [path, to] of [
      ["data/a", "out/b"],
      ["out/a", "data/b"],
    ] as const) {
      expect(rename({ roots: ["data"] }, path, to)).toBe(
        'EXO_CAPABILITY_DENIED: fs_rename is not granted for root "out"; add "out" to grants.table-stats.fs_rename.roots in config.json',
      );
    }
    expect(rename({ roots: ["data"] }, "data/a", "data/../b")).toMatch(/^EXO_FS_PATH: /);
    expect(rename({ roots: ["data"] }, "data/a", "")).toMatch(/^EXO_FS_PATH: /);
    const narrow = { roots: ["data"], paths: ["data/in"] };
    expect(rename(narrow, "data/in/a", "data/in/b")).toBe("ok");
    expect(rename(narrow, "data/in/a", "data/b")).toMatch(/narrower paths$/);
    expect(rename(narrow, "data/a", "data/in/b")).toMatch(/narrower paths$/);
    expect(check(grantsOf({}), "fs_rename", { path: "data/a", to: "out/b", mode: "create" })).toMatch(
      /"grants": \{"table-stats":\{"fs_rename":\{"roots":\["data","out"\]\}\}\}$/,
    );
  });

  it("bounds entries at 10,000 by default, at 100,000 whatever is granted, where both grants allow", () => {
    const granted = (...constraints: Constraints[]): unknown => {
      const capabilities = constraints.map((some) => ({ name: "fs_mkdir" as const, constraints: some }));
      return checkGrant({ ...grantsOf({}), capabilities }, "fs_mkdir", { path: "data/a" }, "x");
    };
    const roots = ["data"];
    expect(granted({ roots })).toMatchObject({ value: { maxEntries: 10_000 } });
    expect(granted({ roots, maxEntries: 0 })).toMatchObject({ value: { maxEntries: 0 } });
    expect(granted({ roots, maxEntries: 1_000_000 })).toMatchObject({ value: { maxEntries: 100_000 } });
    expect(granted({ roots, maxEntries: 7 }, { roots, maxEntries: 5 })).toMatchObject({ value: { maxEntries: 5 } });
    expect(granted({ roots, maxEntries: 5 }, { roots, maxEntries: 7 })).toMatchObject({ value: { maxEntries: 5 } });
    const kv = grantsOf({ kv_put: { prefixes: [""], maxEntries: 1_000_000 } });
    expect(checkGrant(kv, "kv_put", { key: "a", value: new Uint8Array() }, "x")).toMatchObject({
      value: { maxEntries: 1_000_000 },
    });
  });

  it("grants what is granted twice only where both allow", () => {
    const once = (constraints: Constraints) => ({ name: "fs_read" as const, constraints });
    const base = grantsOf({});
    const twice = { ...base, capabilities: [once({ roots: ["data", "b"] }), once({ roots: ["data"], maxBytes: 5 })] };
    expect(check(twice, "fs_read", { path: "data/a" })).toBe("ok");
    expect(check(twice, "fs_read", { path: "b/a" })).toMatch(/^EXO_CAPABILITY_DENIED/);
    expect(check(twice, "fs_read", { path: "data/a", length: 6 })).toMatch(/^EXO_CAPABILITY_DENIED/);
    expect(checkGrant(twice, "fs_read", { path: "data/a" }, "x")).toMatchObject({ value: { maxBytes: 5 } });
  });
});

describe("keys", () => {
  const kv = (capability: CapabilityName, constraints: Constraints): Grants => grantsOf({ [capability]: constraints });

  it("names the line that is missing, and repeats nothing of the key", () => {
    expect(check(grantsOf({}), "kv_get", { key: "secret" })).toBe(
      'EXO_CAPABILITY_DENIED: kv_get is not granted; its manifest must list it and config.json must grant it: "grants": {"table-stats":{"kv_get":{"prefixes":[""]}}}',
    );
    expect(check(kv("kv_put", { prefixes: ["a/"] }), "kv_put", { key: "secret", value: new Uint8Array() })).toBe(
      "EXO_CAPABILITY_DENIED: kv_put is not granted for this key; add what it begins with to grants.table-stats.kv_put.prefixes in config.json",
    );
    expect(check(kv("kv_list", { prefixes: ["a/"] }), "kv_list", { prefix: "a" })).toBe(
      "EXO_CAPABILITY_DENIED: kv_list is not granted for this prefix; add what it begins with to grants.table-stats.kv_list.prefixes in config.json",
    );
  });

  it.each(["kv_get", "kv_put", "kv_delete"] as const)(
    "%s: the key begins with one of the prefixes, or is denied",
    (name) => {
      const of = (prefixes: string[] | undefined, key: string): boolean =>
        check(kv(name, prefixes === undefined ? {} : { prefixes }), name, { key, value: new Uint8Array() }) === "ok";
      expect(of(["a/", "b"], "a/x")).toBe(true);
      expect(of(["a/", "b"], "bc")).toBe(true);
      expect(of([""], "anything")).toBe(true);
      for (const prefixes of [undefined, [], ["a/"], ["A"], ["abc"]]) expect(of(prefixes, "ab")).toBe(false);
    },
  );

  it("a listing's prefix lies inside one of them", () => {
    const of = (prefix: string): boolean =>
      check(kv("kv_list", { prefixes: ["a/", "b"] }), "kv_list", { prefix }) === "ok";
    expect(["a/", "a/x", "b", "bc"].map(of)).toEqual([true, true, true, true]);
    expect(["", "a", "A/", "c"].map(of)).toEqual([false, false, false, false]);
  });

  it("a value has at most maxBytes, and two grants hold where both allow", () => {
    const put = (...constraints: Constraints[]) => ({
      ...grantsOf({}),
      capabilities: constraints.map((one) => ({ name: "kv_put" as const, constraints: one })),
    });
    const value = (size: number) => ({ key: "a/x", value: new Uint8Array(size) });
    expect(check(put({ prefixes: [""], maxBytes: 2 }), "kv_put", value(2))).toBe("ok");
    expect(check(put({ prefixes: [""], maxBytes: 2 }), "kv_put", value(3))).toMatch(/at most 2 bytes a call$/);
    expect(check(put({ prefixes: ["a"] }, { prefixes: ["b"] }), "kv_put", value(0))).toMatch(/^EXO_CAPABILITY_DENIED/);
    const both = checkGrant(
      put({ prefixes: ["a"], maxEntries: 5 }, { prefixes: ["a/"], maxEntries: 3, maxTotalBytes: 9 }),
      "kv_put",
      value(0),
      "kv",
    );
    expect(both).toMatchObject({ ok: true, value: { maxEntries: 3, maxTotalBytes: 9 } });
  });
});
