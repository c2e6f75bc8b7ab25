import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "checks-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(script: string, ...args: string[]): { status: number | null; out: string; err: string } {
  const done = spawnSync(process.execPath, [resolve("scripts", script), ...args], { cwd: folder, encoding: "utf8" });
  return { status: done.status, out: done.stdout.trim(), err: done.stderr.trim() };
}

describe("complete-lock", () => {
  const write = (packages: Record<string, unknown>): void =>
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }));
  const read = (): unknown => JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));

  test("names what is missing, adds it, and is then content", () => {
    const tool = { version: "1.0.0", dev: true, optionalDependencies: { "@t/x-linux-arm64-musl": "1.0.0" } };
    const store = { version: "2.0.0", optionalDependencies: { "@s/s-darwin-x64": "^2.1.0" } };
    write({ "": {}, "node_modules/store": store, "node_modules/tool": tool });
    const check = run("complete-lock.mjs", "--check");
    expect(check).toMatchObject({ status: 1, out: "lock: 5 packages, 2 were missing" });
    expect(check.err.split("\n")).toEqual([
      "package-lock.json: no entry for @s/s-darwin-x64@2.1.0; run node scripts/complete-lock.mjs",
      "package-lock.json: no entry for @t/x-linux-arm64-musl@1.0.0; run node scripts/complete-lock.mjs",
    ]);
    expect(run("complete-lock.mjs").status).toBe(0);
    expect(read()).toEqual({
      lockfileVersion: 3,
      packages: {
        "": {},
        "node_modules/@s/s-darwin-x64": { version: "2.1.0", os: ["darwin"], cpu: ["x64"], optional: true },
        "node_modules/@t/x-linux-arm64-musl": {
          version: "1.0.0",
          os: ["linux"],
          cpu: ["arm64"],
          libc: ["musl"],
          dev: true,
          optional: true,
        },
        "node_modules/store": store,
        "node_modules/tool": tool,
      },
    });
    expect(run("complete-lock.mjs", "--check")).toMatchObject({ status: 0, err: "" });
  });

  test("finds an entry in the package's own node_modules or any above", () => {
    write({
      "node_modules/a/node_modules/b": { optionalDependencies: { own: "1.0.0", above: "1.0.0", top: "1.0.0" } },
      "node_modules/a/node_modules/b/node_modules/own": {},
      "node_modules/a/node_modules/above": {},
      "node_modules/top": {},
    });
    expect(run("complete-lock.mjs", "--check")).toMatchObject({ status: 0, err: "" });
  });

  test("does not look in a sibling's node_modules", () => {
    write({
      "node_modules/a": { optionalDependencies: { "n-linux-x64": "1.0.0" } },
      "node_modules/b/node_modules/n-linux-x64": {},
    });
    expect(run("complete-lock.mjs", "--check").status).toBe(1);
  });

  test("refuses to guess a platform", () => {
    write({ "node_modules/a": { optionalDependencies: { speedups: "1.0.0" } } });
    const done = run("complete-lock.mjs");
    expect(done.status).toBe(1);
    expect(done.err).toContain("speedups: add its entry to package-lock.json by hand");
  });
});

describe("check-docs", () => {
  test.each([
    ["function", "export function a(): void {}"],
    ["async function", "export async function a(): Promise<void> {}"],
    ["class", "export class a {}"],
    ["constant", "export const a = 1;"],
    ["type", "export type a = 1;"],
    ["interface", "export interface a {}"],
    ["blank line between", "/** Says something. */\n\nexport const a = 1;"],
    ["line comment", "// Says something.\nexport const a = 1;"],
  ])("an exported %s without a docstring is named", (_what, code) => {
    writeFileSync(join(folder, "x.ts"), `const first = 1;\n${code}\n`);
    const done = run("check-docs.mjs", ".");
    expect(done).toMatchObject({ status: 1, out: "docs: 1 files, 1 problems" });
    expect(done.err).toMatch(/^\.\/x\.ts:[234] a has no docstring$/);
  });

  test("docstrings, overloads, re-exports and text in strings pass", () => {
    const code = [
      "/** One. */",
      "export function a(x: 1): 1;",
      "export function a(x: 2): 2;",
      "/**",
      " * Two.",
      " */",
      "export const b = `",
      "export const c = 1;`;",
      'export { d } from "./d.js";',
    ];
    writeFileSync(join(folder, "x.ts"), code.join("\n"));
    expect(run("check-docs.mjs", ".")).toEqual({ status: 0, out: "docs: 1 files, 0 problems", err: "" });
  });
});

describe("check-size", () => {
  test("401 lines are too many, 400 are not, a long function is only named", () => {
    const body = "  work();\n".repeat(61);
    writeFileSync(join(folder, "a.ts"), `export function long(): void {\n${body}}\n${"x;\n".repeat(337)}`);
    expect(run("check-size.mjs", ".")).toEqual({
      status: 0,
      out: "size: 1 files, 0 problems",
      err: "./a.ts:1 function of 63 lines (allowed)",
    });
    writeFileSync(join(folder, "a.ts"), "x;\n".repeat(401));
    expect(run("check-size.mjs", ".")).toEqual({
      status: 1,
      out: "size: 1 files, 1 problems",
      err: "./a.ts:401 has 401 lines, more than 400",
    });
  });
});
