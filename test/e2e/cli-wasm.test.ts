import { copyFileSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, truncateSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import type { CliContext } from "../../src/cli/context.js";
import { runCli } from "../../src/cli/program.js";
import { inspectModule } from "../../src/wasm/inspect.js";
import { sealModule } from "../../src/wasm/seal.js";
import { assemble, binary, isValid, leb, oneFunction } from "../wasm/support.js";
import { type Ended, errorOf, jsonOf, NearShell, ROOT, type Shell } from "./cli.js";
import { runModule } from "./support/module.js";

const fs = new Uint8Array(readFileSync(`${ROOT}/plugins/fs.wasm`));
const fsTerms = {
  capabilities: ["fs_read", "fs_write", "fs_list", "fs_stat", "fs_remove", "fs_append", "fs_mkdir", "fs_rename"],
  memoryPages: 256,
  tableElements: 10_000,
};

let shell: Shell;

beforeAll(() => {
  shell = new NearShell();
  shell.write("fs.wasm", fs);
  copyFileSync(`${ROOT}/plugins/fs.json`, shell.path("fs.json"));
  shell.write("plain.wasm", assemble(`(module (memory 1) (func (export "run") (result i32) (i32.const 0)))`));
});
afterAll(() => shell.remove());

const meter = (module: string, ...args: readonly string[]): Promise<Ended> =>
  shell.exo(["meter", module, "-o", "out.wasm", ...args]);

/** A terminal, for the command in this process. */
function fakeContext(): { readonly context: CliContext; readonly printed: string[] } {
  const printed: string[] = [];
  const context = {
    stdout: (text) => void printed.push(`stdout ${String(text)}`),
    stderr: (text) => void printed.push(`stderr ${text}`),
    cwd: shell.cwd,
    env: {},
    isTTY: { stdin: true, stdout: true, stderr: true },
    signal: new AbortController().signal,
    exit: { code: 0 },
  } as Partial<CliContext> as CliContext;
  return { context, printed };
}

/** Ends with this error, and no output file, not even half of one. */
const expectError = ({ code, stdout, stderr }: Ended, error: string, exit = 1): void => {
  expect(stderr).toContain(`error ${error}: `);
  expect(stderr).not.toContain("    at ");
  expect([code, stdout]).toEqual([exit, ""]);
  expectNothingWritten();
};

const expectNothingWritten = (): void => {
  expect(shell.list(".").filter((name) => name.startsWith("out.wasm") || name.endsWith(".tmp"))).toEqual([]);
};

describe("what is no module at all", () => {
  it("a missing file, a folder and a device", async () => {
    for (const path of ["nowhere.wasm", "data", "/dev/zero"]) {
      expectError(await meter(path), "EXO_FILE");
      expectError(await shell.exo(["inspect", path]), "EXO_FILE");
    }
  });

  it("one of 100 MB is refused by its size, unread", async () => {
    shell.write("huge.wasm", "");
    truncateSync(shell.path("huge.wasm"), 100_000_000);
    expectError(await meter("huge.wasm"), "EXO_WASM_SIZE");
  });

  const junk: readonly (readonly [name: string, bytes: Uint8Array | string, code: string, reason: string])[] = [
    ["empty", "", "EXO_WASM_SIZE", "the module has 0 bytes, expected 1 to 67108864"],
    ["text", "plain text", "EXO_WASM_INVALID", "byte 0   not a WebAssembly binary: the magic number is missing"],
    [
      "a component",
      Uint8Array.of(0, 97, 115, 109, 13, 0, 1, 0),
      "EXO_WASM_INVALID",
      "byte 4   not a core WebAssembly module of version 1",
    ],
    ["truncated", fs.subarray(0, 5000), "EXO_WASM_INVALID", "is longer than the module"],
  ];

  it.each(junk)("one that is %s", async (_name, bytes, code, reason) => {
    shell.write("bad.wasm", bytes);
    const [metered, inspected, json] = await Promise.all([
      meter("bad.wasm"),
      shell.exo(["inspect", "bad.wasm"]),
      meter("bad.wasm", "--json"),
    ]);
    expect(metered.stderr).toMatch(/^refused {6}1 reason\n {2}EXO_WASM_/);
    expect(metered.stderr).toContain(`  ${code}   `);
    expect(metered.stderr).toContain(reason);
    expect([metered.code, metered.stdout]).toEqual([1, ""]);
    expect(inspected.stdout.endsWith(metered.stderr)).toBe(true);
    expect([inspected.code, inspected.stderr]).toEqual([1, ""]);
    expect(jsonOf(json)).toMatchObject({ admitted: false, sealed: null, charges: null, reasons: [{ code }] });
    expect([json.code, json.stderr]).toEqual([1, ""]);
    expectNothingWritten();
  });
});

/** The offset of the first instruction of `oneFunction`. */
const body = 30;

describe("features that are not admitted", () => {
  const refused: readonly (readonly [name: string, bytes: Uint8Array, line: string])[] = [
    ["shared memory", binary([5, [1, 3, 1, 2]]), "byte 11   not admitted: threads, memory limits 0x3"],
    ["atomics", oneFunction([0, 0xfe, 3, 0, 0x0b]), `byte ${body}   not admitted: threads, opcode 0xfe 3`],
    [
      "relaxed SIMD",
      oneFunction([0, 0xfd, ...leb(0x100), 0x0b]),
      `byte ${body}   not admitted: relaxed SIMD, opcode 0xfd 256`,
    ],
    ["exceptions", oneFunction([0, 0x08, 0, 0x0b]), `byte ${body}   not admitted: exceptions, opcode 0x8`],
    ["tail calls", oneFunction([0, 0x12, 0, 0x0b]), `byte ${body}   not admitted: tail calls, opcode 0x12`],
    ["GC", oneFunction([0, 0xfb, 0, 0, 0x0b]), `byte ${body}   not admitted: garbage collection, opcode 0xfb 0`],
    ["memory64", binary([5, [1, 4, 1]]), "byte 11   not admitted: memory64, memory limits 0x4"],
    ["multi-memory", binary([5, [2, 0, 1, 0, 1]]), "byte 10   not admitted: multi-memory, more than one memory"],
    [
      "what nobody knows",
      oneFunction([0, 0xff, 0x0b]),
      `byte ${body}   not admitted: an unknown instruction, opcode 0xff`,
    ],
  ];

  it.each(refused)("%s: code, offset and feature", async (_name, bytes, line) => {
    shell.write("bad.wasm", bytes);
    const metered = await meter("bad.wasm");
    expect(metered.stderr).toContain(`\n  EXO_WASM_FEATURE   ${line}\n`);
    expect([metered.code, metered.stdout]).toEqual([1, ""]);
    expectNothingWritten();
  });

  it("and inspect says the same", async () => {
    const [, bytes, line] = refused[0] as (typeof refused)[number];
    shell.write("bad.wasm", bytes);
    const inspected = await shell.exo(["inspect", "bad.wasm"]);
    expect(inspected.stdout).toContain(`\n  EXO_WASM_FEATURE   ${line}\n`);
    expect(inspected.stdout).toContain("\nsealed       not\n");
    expect([inspected.code, inspected.stderr]).toEqual([1, ""]);
  });
});

describe("imports and exports", () => {
  it("every reason is told, each with its offset; names that steer a terminal are spelled out", async () => {
    const bytes =
      assemble(`(module (import "env" "ab\\1b[2Jort" (func)) (import "extism:host/env" "alloc" (func (param i32)))
      (import "extism:host/env" "memory" (memory 1)) (func (export "exo:mine")))`);
    shell.write("bad.wasm", bytes);
    const text = await meter("bad.wasm");
    expect(text.stderr).toContain(String.raw`import "env"."ab\u{1b}[2Jort": no such function is offered`);
    expect(text.stderr).toContain("expected the signature (i64) -> (i64), found (i32) -> ()");
    expect(text.stderr).toContain("a memory cannot be imported");
    expect(text.stderr).toContain(`the export name "exo:mine" is reserved`);
    expect(text.stderr).toContain("\nrefused      4 reasons\n");
    expect(text.stderr).not.toContain("\u001b");
    const inspected = await shell.exo(["inspect", "bad.wasm"]);
    expect(inspected.stdout).toContain(String.raw`import       env ab\u001b[2Jort`);
    expect(inspected.stdout).not.toContain("\u001b");
    const json = jsonOf(await meter("bad.wasm", "--json"));
    expect(json["reasons"]).toEqual(inspectModule(bytes, { ...fsTerms, capabilities: [] }).reasons);
    expect((json["reasons"] as { offset: number }[]).every(({ offset }) => offset > 8)).toBe(true);
  });

  it("a capability that nobody granted is refused, with what to write to grant it", async () => {
    const { code, stdout, stderr } = await meter("fs.wasm");
    expect(stderr).toContain(
      `manifest     "capabilities": ${JSON.stringify(fsTerms.capabilities.map((name) => ({ name })))}\n`,
    );
    expect(stderr).toContain(`config       "grants": {"fs":{"fs_read":{"roots":["data"]},`);
    expect(stderr).toContain("option       --capability fs_read --capability fs_write ");
    expect(stderr).toContain("\nrefused      8 reasons\n");
    expect(stderr).toMatch(
      /\n {2}EXO_WASM_IMPORT {3}byte \d+ {3}import "extism:host\/user"\."fs_write": needs the cap/,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expectNothingWritten();
  });

  it("one grant is not another: all but one leave the one", async () => {
    const options = fsTerms.capabilities.slice(0, -1).flatMap((name) => ["--capability", name]);
    const { code, stderr } = await meter("fs.wasm", ...options);
    expect(stderr).toContain("option       --capability fs_rename\nrefused      1 reason\n");
    expect(code).toBe(1);
  });

  it("a manifest of another module, or of functions that are not there, is a reason", async () => {
    shell.write("other.json", readFileSync(`${ROOT}/plugins/table-stats.json`));
    shell.edit("other.json", (manifest) => ({ ...manifest, wasm: { digest: digestOf(new Uint8Array(1)) } }));
    const [metered, inspected] = await Promise.all([
      meter("plain.wasm", "--manifest", "other.json", "--json"),
      shell.exo(["inspect", "plain.wasm", "--manifest", "other.json", "--json"]),
    ]);
    for (const ended of [metered, inspected]) {
      expect(jsonOf(ended)).toMatchObject({
        admitted: false,
        sealed: null,
        reasons: [
          { code: "EXO_PLUGIN_DIGEST" },
          {
            code: "EXO_WASM_EXPORT",
            message: "the manifest names the function stats; exported as () -> i32 or () -> () are: run",
          },
        ],
      });
      expect(ended.code).toBe(1);
    }
    expectNothingWritten();
  });

  it("a sealed module is not sealed again, and the reason is told", async () => {
    const sealed = sealModule(fs, fsTerms);
    shell.write("sealed.wasm", sealed.ok ? sealed.value.bytes : "");
    const { code, stderr } = await meter("sealed.wasm", "--manifest", "fs.json");
    expect(stderr).toContain(
      "hint         names that begin with exo: are the meter's; if this is a sealed module, give",
    );
    expect(stderr).toContain(`   the export name "exo:fuel" is reserved\n`);
    expect(code).toBe(1);
    expectNothingWritten();
  });
});

describe("the command line of meter", () => {
  it.each([
    [["--memory-pages", "65537"], "--memory-pages: expected a whole number from 0 to 65,536, got 65537"],
    [["--memory-pages", "-1"], "--memory-pages: expected a whole number from 0 to 65,536, got -1"],
    [["--memory-pages", "1.5"], "--memory-pages: expected"],
    [["--memory-pages", "0x10"], "--memory-pages: expected"],
    [["--memory-pages", ""], "--memory-pages: expected"],
    [["--table-elements", "10000001"], "--table-elements: expected a whole number from 0 to 10,000,000, got 10000001"],
    [["--table-elements", "1e3"], "--table-elements: expected"],
    [["--capability", "fs_everything"], "--capability: there is no fs_everything; there are clock_now, "],
    [["--capability", "__proto__"], "--capability: there is no __proto__;"],
    [["--force"], "unknown option '--force'"],
  ])("%j is a usage error", async (args, message) => {
    const { context, printed } = fakeContext();
    expect(await runCli(["meter", "plain.wasm", "-o", "out.wasm", ...args], context)).toBe(2);
    expect(printed.join("").startsWith(`stderr error EXO_USAGE: ${message}`)).toBe(true);
    expect(printed.some((text) => text.startsWith("stdout "))).toBe(false);
    expectNothingWritten();
  });

  it("an output must be named, and --json leaves no room for the module on standard output", async () => {
    const none = await shell.exo(["meter", "plain.wasm"]);
    expect(none.stderr).toContain("required option '-o, --out <file>' not specified");
    expect(none.code).toBe(2);
    const both = await shell.exo(["meter", "plain.wasm", "-o", "-", "--json"]);
    expect(errorOf(both)).toBe("EXO_USAGE");
    expect(both.code).toBe(2);
  });

  it("a terminal is given no bytes that a guest chose", async () => {
    const { context, printed } = fakeContext();
    expect(await runCli(["meter", "plain.wasm", "-o", "-"], context)).toBe(2);
    expect(printed).toEqual(["stderr error EXO_USAGE: a module is not written to a terminal; name a file\n"]);
  });

  it("a manifest that is missing or malformed is an error", async () => {
    expectError(await meter("fs.wasm", "--manifest", "nowhere.json"), "EXO_FILE");
    shell.write("wrong.json", `{"schema":"exoarmur.executor/v1","name":"fs"}`);
    expectError(await meter("fs.wasm", "--manifest", "wrong.json"), "EXO_SCHEMA");
    shell.write("wrong.json", `{"schema":"exoarmur.executor/v1","schema":"exoarmur.executor/v1"}`);
    expectError(await shell.exo(["inspect", "fs.wasm", "--manifest", "wrong.json"]), "EXO_JSON_DUPLICATE_KEY");
  });

  it("a module that starts beyond a cap is refused, with the limit to write", async () => {
    shell.write("big.wasm", assemble(`(module (memory 300) (table 20000 funcref) (func (export "run")))`));
    const { code, stderr } = await meter("big.wasm");
    expect(stderr).toContain(
      `manifest     "limits": {"memoryPages":300,"tableElements":20000}\nrefused      2 reasons\n`,
    );
    expect(stderr).toMatch(/EXO_WASM_LIMIT {3}byte \d+ {3}the memory starts with 300 pages, the cap is 256\n/);
    expect(code).toBe(1);
    // A manifest can give that much, so the report admits it and says what to write.
    const inspected = await shell.exo(["inspect", "big.wasm"]);
    expect(inspected.stdout).toContain("at most 300 pages and 20,000 table elements");
    expect(inspected.stdout).toContain(`manifest     "limits": {"memoryPages":300,"tableElements":20000}\nadmitted `);
    shell.write("bigger.wasm", assemble(`(module (memory 20000) (func (export "run")))`));
    const refused = await shell.exo(["inspect", "bigger.wasm"]);
    expect(refused.stdout).toContain("the memory starts with 20000 pages, the cap is 16384\n");
    expect(refused.code).toBe(1);
  });
});

describe("the output of meter", () => {
  const metering = ["meter", "fs.wasm", "--manifest", "fs.json", "-o"];

  it("where nothing can be written, nothing is", async () => {
    mkdirSync(shell.path("locked"));
    shell.write("locked/file", "");
    for (const path of ["data", "/dev/null", "nowhere/out.wasm", "locked/file/out.wasm"]) {
      const ended = await shell.exo([...metering, path]);
      expectError(ended, "EXO_FILE");
    }
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
    expect(shell.list("locked")).toEqual(["file"]);
  });

  it("the input is never its own output, by whatever name", async () => {
    linkSync(shell.path("fs.wasm"), shell.path("hard.wasm"));
    symlinkSync("fs.wasm", shell.path("soft.wasm"));
    for (const path of ["fs.wasm", "./data/../fs.wasm", "hard.wasm", "soft.wasm"]) {
      expectError(await shell.exo([...metering, path]), "EXO_FILE");
    }
    expect(new Uint8Array(readFileSync(shell.path("fs.wasm")))).toEqual(fs);
  });

  it("a refusal leaves what was there before", async () => {
    shell.write("kept.wasm", "before");
    const { code } = await shell.exo(["meter", "fs.wasm", "-o", "kept.wasm"]);
    expect([code, shell.read("kept.wasm")]).toEqual([1, "before"]);
  });

  it("replaces a file whole, and is the form that the runtime runs", async () => {
    const sealed = sealModule(fs, fsTerms);
    if (!sealed.ok) throw new Error(sealed.error.message);
    const { bytes, digest, original, meterRevision } = sealed.value;
    shell.write("kept.wasm", new Uint8Array(1_000_000));
    const { code, stdout, stderr } = await shell.exo([...metering, "kept.wasm"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(new Uint8Array(readFileSync(shell.path("kept.wasm")))).toEqual(bytes);
    expect(isValid(bytes)).toBe(true);
    const ratio = (bytes.length / fs.length).toFixed(2);
    const size = (of: Uint8Array) => of.length.toLocaleString("en-US");
    expect(stdout).toContain(`original     ${original}   ${size(fs)} bytes   fs.wasm\n`);
    expect(stdout).toContain(`sealed       ${digest}   ${size(bytes)} bytes   ${ratio}x   kept.wasm\n`);
    expect(stdout).toContain(`meter        revision ${meterRevision}   at most 256 pages and 10,000 table elements\n`);
    expect(shell.list(".").filter((name) => name.endsWith(".tmp"))).toEqual([]);
    const json = jsonOf(await shell.exo([...metering, "kept.wasm", "--json"]));
    expect(json).toEqual({
      schema: "exoarmur.metered/v1",
      admitted: true,
      original: { digest: original, size: fs.length },
      sealed: { digest, size: bytes.length, path: "kept.wasm" },
      sizeRatio: Number((bytes.length / fs.length).toFixed(4)),
      meterRevision,
      caps: { memoryPages: 256, tableElements: 10_000 },
      charges: sealed.value.charges,
      reasons: [],
    });
    const { points, dynamic, nans, frames } = sealed.value.charges;
    expect(points).toBeGreaterThan(100);
    const count = (value: number, noun: string) => `${value.toLocaleString("en-US")} ${noun}${value === 1 ? "" : "s"}`;
    expect(stdout).toContain(
      `charges      ${count(points, "point")}   ${count(dynamic, "dynamic charge")}   ${count(nans, "NaN repair")}   ${count(frames, "counted frame")}\n`,
    );
  });

  it("counts what metering put in", async () => {
    const chargesOf = async (text: string): Promise<unknown> => {
      shell.write("counted.wasm", assemble(`(module (memory 1) ${text})`));
      return jsonOf(await shell.exo(["meter", "counted.wasm", "-o", "counted-out.wasm", "--json"]))["charges"];
    };
    const nothing = { points: 0, dynamic: 0, nans: 0, frames: 0 };
    expect(await chargesOf("")).toEqual(nothing);
    expect(
      await chargesOf(`(func (export "f") (memory.fill (i32.const 0) (i32.const 0) (i32.const 8)))`),
    ).toMatchObject({
      dynamic: 1,
      nans: 0,
    });
    const divided = `(i64.reinterpret_f64 (f64.div (local.get 0) (local.get 0)))`;
    expect(await chargesOf(`(func (export "f") (param f64) (result i64) ${divided})`)).toMatchObject({ nans: 1 });
    const deep = await chargesOf(`(func $f (export "f") (param i64) (call $f (local.get 0)))`);
    expect((deep as { frames: number }).frames).toBeGreaterThan(0);
    expect((deep as { points: number }).points).toBeGreaterThan(0);
  });

  it("from standard input to standard output, the bytes and nothing else", async () => {
    const child = shell.start(["meter", "-", "-o", "-", "--manifest", "fs.json"], { input: fs });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(0);
    const sealed = sealModule(fs, fsTerms);
    expect(sealed.ok && digestOf(new Uint8Array(Buffer.concat(chunks)))).toBe(sealed.ok && sealed.value.digest);
    expectNothingWritten();
  });

  it("caps come from the option, then the manifest, then its defaults", async () => {
    const capsOf = async (...args: readonly string[]): Promise<unknown> =>
      jsonOf(await shell.exo(["meter", "plain.wasm", "-o", "caps.wasm", "--json", ...args]))["caps"];
    shell.write(
      "plain.json",
      JSON.stringify({
        schema: "exoarmur.executor/v1",
        name: "plain",
        version: "1.0.0",
        functions: [{ name: "run", action: "plain.run" }],
        limits: { memoryPages: 7 },
      }),
    );
    expect(await capsOf()).toEqual({ memoryPages: 256, tableElements: 10_000 });
    expect(await capsOf("--manifest", "plain.json")).toEqual({ memoryPages: 7, tableElements: 10_000 });
    expect(await capsOf("--manifest", "plain.json", "--memory-pages", "9", "--table-elements", "0")).toEqual({
      memoryPages: 9,
      tableElements: 0,
    });
  });
});

describe("inspect", () => {
  it("prints facts, tables and, last, the verdict", async () => {
    const { code, stdout, stderr } = await shell.exo(["inspect", "fs.wasm"]);
    const report = inspectModule(fs, fsTerms);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe(`digest       ${report.digest}   ${fs.length.toLocaleString("en-US")} bytes`);
    expect(lines[1]).toMatch(new RegExp(`^sealed {7}${report.sealed?.digest} {3}[\\d,]+ bytes {3}\\d\\.\\d\\dx$`));
    expect(stdout).toContain("\nmemory       1 page, no maximum\n");
    expect(stdout).toContain("\nfunctions    read, write, append, list, remove, stat, mkdir, rename\n");
    expect(stdout).toContain(`\nneeds        ${fsTerms.capabilities.join(", ")}\n`);
    for (const { name, offset } of report.features) {
      expect(lines.some((line) => line.startsWith(`feature      ${name} `) && line.endsWith(` byte ${offset}`))).toBe(
        true,
      );
    }
    expect(lines.filter((line) => line.startsWith("import ")).length).toBe(report.imports.length);
    expect(stdout).toMatch(/\nimport {7}extism:host\/user fs_read +\(i64\) -> \(i64\) +fs_read\n/);
    expect(stdout).toMatch(/\nimport {7}extism:host\/env alloc +\(i64\) -> \(i64\) +no capability\n/);
    expect(stdout).toMatch(/\nexport {7}remove +\(\) -> \(i32\)\n/);
    expect(stdout).toMatch(/\nconfig {7}"grants": \{"fs":\{"fs_read":\{"roots":\["data"\]\}/);
    expect(stdout).toMatch(/\nadmitted {5}under a manifest that grants what it needs\n$/);
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("under a manifest: its grants, and nothing to suggest when they suffice", async () => {
    const good = await shell.exo(["inspect", "fs.wasm", "--manifest", "fs.json"]);
    expect(good.stdout).toMatch(/\nadmitted\n$/);
    expect(good.stdout).not.toContain("grants");
    const missing = fsTerms.capabilities.filter((name) => name !== "fs_read" && name !== "fs_list");
    shell.write("less.json", readFileSync(`${ROOT}/plugins/fs.json`));
    shell.edit("less.json", (manifest) => ({ ...manifest, capabilities: [{ name: "fs_read" }, { name: "fs_list" }] }));
    const less = await shell.exo(["inspect", "fs.wasm", "--manifest", "less.json"]);
    expect(less.stdout).toContain(
      `\nmanifest     "capabilities": [${JSON.stringify(missing.map((name) => ({ name }))).slice(1)}\n`,
    );
    expect(less.stdout).toMatch(/\nrefused {6}6 reasons\n( {2}EXO_WASM_IMPORT {3}byte \d+ {3}import .*\n){6}$/);
    expect(less.code).toBe(1);
    const json = jsonOf(await shell.exo(["inspect", "fs.wasm", "--manifest", "less.json", "--json"]));
    expect(json).toMatchObject({ admitted: false, missing, sealed: null });
  });

  it("--json is the report of exoarmur/wasm", async () => {
    const { code, stdout, stderr } = await shell.exo(["inspect", "-", "--json"], { input: fs });
    const all = inspectModule(fs, { memoryPages: 256, tableElements: 10_000 });
    expect(JSON.parse(stdout)).toEqual({ schema: "exoarmur.module/v1", ...all });
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("exoarmur/wasm gives the same digests and the same reasons", async () => {
    const code = `import { inspectModule, meterModule, meterRevision } from "exoarmur/wasm";
      import { readFileSync } from "node:fs";
      const [path, ...capabilities] = process.argv.slice(1);
      const bytes = new Uint8Array(readFileSync(path));
      const caps = { memoryPages: 256, tableElements: 10000 };
      const made = meterModule(bytes, { capabilities, ...caps });
      const refused = meterModule(bytes, { capabilities: [], ...caps });
      const { sealed } = inspectModule(bytes, { capabilities, ...caps });
      const { reasons } = inspectModule(bytes, { capabilities: [], ...caps });
      console.log(JSON.stringify([made.value.digest, made.value.original, sealed, meterRevision, refused.error, reasons]));`;
    const ended = await runModule(code, [shell.path("fs.wasm"), ...fsTerms.capabilities]);
    expect(ended.stderr).toBe("");
    const good = jsonOf(await shell.exo(["inspect", "fs.wasm", "--manifest", "fs.json", "--json"]));
    const bad = jsonOf(await meter("fs.wasm", "--json"));
    const [first] = bad["reasons"] as { code: string; message: string }[];
    const sealed = good["sealed"] as { digest: string; meterRevision: number };
    expect(JSON.parse(ended.stdout)).toEqual([
      sealed.digest,
      good["digest"],
      sealed,
      sealed.meterRevision,
      { code: first?.code, message: first?.message },
      bad["reasons"],
    ]);
  });

  it("a table of hostile size stays readable; --json has all of it", async () => {
    const name = (index: number): string => `${index} ${"n".repeat(5000)}`;
    const exports = Array.from({ length: 300 }, (_, index) => `(export "${name(index)}")`).join("");
    shell.write("many.wasm", assemble(`(module (func ${exports}))`));
    const [text, json] = await Promise.all([
      shell.exo(["inspect", "many.wasm"]),
      shell.exo(["inspect", "many.wasm", "--json"]),
    ]);
    expect(text.stdout).toContain("\nexport       and 260 more; --json has all\n");
    expect(text.stdout.length).toBeLessThan(10_000);
    expect((jsonOf(json)["exports"] as unknown[]).length).toBe(300);
  });
});
