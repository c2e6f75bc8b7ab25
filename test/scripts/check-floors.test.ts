import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Runs the check over a source tree given as path -> text; problem paths come back relative to the tree. */
function check(files: Record<string, string> | "src"): { status: number | null; problems: string[]; summary: string } {
  let folder = "src";
  if (files !== "src") {
    folder = mkdtempSync(join(tmpdir(), "floors-"));
    folders.push(folder);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
  }
  const run = spawnSync(process.execPath, ["scripts/check-floors.mjs", folder], { encoding: "utf8" });
  const prefix = `${folder.replaceAll("\\", "/")}/`;
  return {
    status: run.status,
    problems: run.stderr
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replaceAll("\\", "/").replace(prefix, "")),
    summary: run.stdout.trim(),
  };
}

const good = {
  "errors.ts": "export const code = 1;\n",
  "crypto/sha256.ts": 'import { createHash } from "node:crypto";\n',
  "crypto/backend-node.ts": 'import { createHash } from "node:crypto";\nimport { x } from "../errors.js";\n',
};

test("src keeps its floors", () => {
  expect(check("src")).toMatchObject({ status: 0, problems: [] });
});

test("an empty tree is not a pass", () => {
  expect(check({ "readme.md": "" })).toMatchObject({ status: 1, summary: "floors: 0 files, 0 problems" });
});

test("lower floors, own folder, package imports and harmless words pass", () => {
  const files = {
    "errors.ts": "export const code = 1;\n",
    "crypto/hash.ts": 'import { sha256 } from "#crypto";\nimport { code } from "../errors.js";\n',
    "log/tree.ts": [
      'import { hash } from "../crypto/hash.js";',
      'import type { Row } from "./row.js";',
      "// Date.now() and import x from 'node:fs'",
      "/* Math.random() */",
      "const text = \"Date.now() process.env from 'lmdb'\";",
      'const more = `setTimeout ${text} import("lmdb") ${`Intl ${1}`}`;',
      "const pattern = /[\"'`/]Date.now()/g;",
      "const ratio = a / b; const other = c / d;",
      "const fine = machine.process.env + validate.now();",
      'const list = Array.from("node:fs");',
    ].join("\n"),
    "log/row.ts": "export type Row = { readonly a: number };\n",
  };
  expect(check(files)).toEqual({ status: 0, problems: [], summary: "floors: 4 files, 0 problems" });
});

describe("who imports whom", () => {
  const cases: [name: string, files: Record<string, string>, problem: string][] = [
    [
      "upward",
      { "canonical/a.ts": '\nimport { x } from "../log/b.js";' },
      "canonical/a.ts:2 imports log/b, which is not on a lower floor",
    ],
    [
      "sideways",
      { "policy/a.ts": 'export { x } from "../safety/b.js";' },
      "policy/a.ts:1 imports safety/b, which is not on a lower floor",
    ],
    [
      "type import",
      { "log/a.ts": 'import type { X } from "../wasm/b.js";' },
      "log/a.ts:1 imports wasm/b, which is not on a lower floor",
    ],
    [
      "inline type import",
      { "log/a.ts": 'type X = import("../wasm/b.js").X;' },
      "log/a.ts:1 imports wasm/b, which is not on a lower floor",
    ],
    [
      "multi-line import",
      { "log/a.ts": 'import {\n  x,\n  y,\n} from "../proof/b.js";' },
      "log/a.ts:4 imports proof/b, which is not on a lower floor",
    ],
    [
      "bare import",
      { "errors.ts": 'import "./crypto/a.js";' },
      "errors.ts:1 imports crypto/a, which is not on a lower floor",
    ],
    [
      "export star",
      { "errors.ts": 'export * from "./ports.js";' },
      "errors.ts:1 imports ports, which is not on a lower floor",
    ],
    [
      "dynamic import",
      { "log/a.ts": 'const m = await import("../replay/b.js");' },
      "log/a.ts:1 imports replay/b, which is not on a lower floor",
    ],
    [
      "computed import",
      { "log/a.ts": "const m = await import(name);" },
      "log/a.ts:1 computes the name of what it imports",
    ],
    [
      "template import",
      { "log/a.ts": "const m = await import(`../x.js`);" },
      "log/a.ts:1 computes the name of what it imports",
    ],
    [
      "a folder on no floor",
      { "helpers/a.ts": "export const x = 1;" },
      "helpers/a.ts:1 is on no floor; add its folder to scripts/floors.mjs",
    ],
    [
      "cli from index",
      { "index.ts": 'import { x } from "./cli/main.js";' },
      "index.ts:1 imports cli/main, which only itself may",
    ],
    [
      "control from runtime",
      { "runtime.ts": 'import { x } from "./control/server.js";' },
      "runtime.ts:1 imports control/server, which only cli may",
    ],
    [
      "sandbox from pipeline",
      { "pipeline/a.ts": 'import { x } from "../sandbox/pool.js";' },
      "pipeline/a.ts:1 imports sandbox/pool, which only runtime, index, exports, cli, web may",
    ],
    [
      "performers from replay",
      { "replay/a.ts": 'import { x } from "../capabilities/perform-fs.js";' },
      "replay/a.ts:1 imports capabilities/perform-fs, which only runtime, index, exports, cli, web may",
    ],
    [
      "a crypto backend from log",
      { "log/a.ts": 'import { x } from "../crypto/backend-node.js";' },
      "log/a.ts:1 imports crypto/backend-node, which only crypto may",
    ],
    [
      "node:* in a browser folder",
      { "verify/a.ts": 'import { readFile } from "node:fs/promises";' },
      "verify/a.ts:1 node:fs/promises: this file must run in a browser",
    ],
    [
      "noble outside crypto",
      { "log/a.ts": 'import { sha256 } from "@noble/hashes/sha2.js";' },
      "log/a.ts:1 @noble/hashes/sha2.js: only crypto may import it",
    ],
    [
      "node:crypto outside crypto",
      { "home/a.ts": 'import { sign } from "node:crypto";' },
      "home/a.ts:1 node:crypto: only crypto may import it",
    ],
    [
      "extism outside sandbox",
      { "runtime.ts": 'const e = await import("@extism/extism");' },
      "runtime.ts:1 @extism/extism: only sandbox may import it",
    ],
    [
      "a driver outside stores",
      { "home/a.ts": 'import { open } from "lmdb";' },
      "home/a.ts:1 lmdb: only stores may import it",
    ],
  ];
  test.each(cases)("%s is refused", (_name, files, problem) => {
    const found = check(files);
    expect(found.problems).toContain(problem);
    expect(found.status).toBe(1);
  });

  test("a cycle is refused, through type imports too", () => {
    const files = {
      "log/a.ts": 'import { b } from "./b.js";',
      "log/b.ts": '\nimport type { C } from "./c.js";',
      "log/c.ts": '\n\nimport { a } from "./a.js";',
    };
    expect(check(files)).toMatchObject({
      status: 1,
      problems: ["log/c.ts:3 closes a cycle: log/a -> log/b -> log/c -> log/a"],
    });
  });

  test("node:* is refused in the floors above a good tree only where it stands", () => {
    expect(check(good).problems).toEqual(["crypto/sha256.ts:1 node:crypto: this file must run in a browser"]);
  });
});

describe("ambient reads", () => {
  test.each([
    "Date.now()",
    "Date?.now()",
    'Date["now"]()',
    "new Date()",
    "new Date(ms)",
    "performance.now()",
    "process.hrtime()",
    "Math.random()",
    "crypto.getRandomValues(bytes)",
    "crypto.randomUUID()",
    'process.env["HOME"]',
    "process.cwd()",
    "globalThis.Date",
    "setTimeout(go, 1)",
    "setInterval(go, 1)",
    "AbortSignal.timeout(1)",
    "a.localeCompare(b)",
    "a.toLocaleLowerCase()",
    "new Intl.Collator()",
    "Buffer.from(a)",
    'require("fs")',
    'eval("1")',
    'new Function("1")',
    "`at ${Date.now()} o'clock`",
  ])("%s is refused in pipeline", (code) => {
    const found = check({ "pipeline/a.ts": `const before = 1;\n// a comment\nconst x = ${code};\n` });
    expect(found.problems[0]).toMatch(/^pipeline\/a\.ts:3 uses .+ here; /);
    expect(found.status).toBe(1);
  });

  test("the composition roots may read the clock and the environment", () => {
    expect(check({ "runtime.ts": "const t = Date.now(); const e = process.env;" })).toMatchObject({
      status: 0,
      problems: [],
    });
  });

  test("Math.random is refused in the composition roots too", () => {
    expect(check({ "cli/main.ts": "Math.random();" }).problems).toEqual([
      "cli/main.ts:1 uses Math.random here; take Entropy or an IdSource",
    ]);
  });
});
