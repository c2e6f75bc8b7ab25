import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { capabilityEffects, capabilityNames, importTable } from "../../src/contracts/imports.js";
import { opcodes } from "../../src/wasm/decode/opcodes.js";
import { costClasses, meterRevision, readFuelTable } from "../../src/wasm/fuel.js";
import { inspectModule } from "../../src/wasm/inspect.js";
import { structuralLimits } from "../../src/wasm/limits.js";
import { maxSealedBytes } from "../../src/wasm/write/writer.js";
import { assemble, binary, seal } from "./support.js";

describe("inspectModule", () => {
  const bytes = assemble(`(module
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/user" "fs_read" (func (param i64) (result i64)))
    (import "extism:host/user" "log" (func (param i64) (result i64)))
    (memory (export "memory") 2 9) (table 3 funcref)
    (func (export "run") (result i32) (i32.extend8_s (i32.const 1)))
    (func (export "void")) (func (export "wide") (result i64) (i64.const 1)) (func (export "needs") (param i32))
    (func $s) (start $s))`);

  test("reports an admitted module as plain JSON", () => {
    const report = inspectModule(bytes);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(report).toEqual({
      size: bytes.length,
      digest: digestOf(bytes),
      admitted: true,
      reasons: [],
      imports: [
        {
          module: "extism:host/env",
          name: "alloc",
          kind: "function",
          signature: { params: ["i64"], results: ["i64"] },
          capability: null,
        },
        {
          module: "extism:host/user",
          name: "fs_read",
          kind: "function",
          signature: { params: ["i64"], results: ["i64"] },
          capability: "fs_read",
        },
        {
          module: "extism:host/user",
          name: "log",
          kind: "function",
          signature: { params: ["i64"], results: ["i64"] },
          capability: "log",
        },
      ],
      exports: [
        { name: "memory", kind: "memory", signature: null },
        { name: "run", kind: "function", signature: { params: [], results: ["i32"] } },
        { name: "void", kind: "function", signature: { params: [], results: [] } },
        { name: "wide", kind: "function", signature: { params: [], results: ["i64"] } },
        { name: "needs", kind: "function", signature: { params: ["i32"], results: [] } },
      ],
      functions: ["run", "void"],
      features: [{ name: "sign-extension", offset: expect.any(Number) }],
      memory: { initial: 2, maximum: 9 },
      tables: [{ type: "funcref", initial: 3, maximum: null }],
      customSections: [],
      capabilities: ["fs_read"],
      missing: [],
      hasStart: true,
      caps: { memoryPages: 65_536, tableElements: 10_000_000 },
      sealed: { digest: expect.stringMatching(/^sha256:/), size: expect.any(Number), meterRevision },
    });
  });

  test("the sealed digest is the one sealModule gives under the same caps", () => {
    const options = { capabilities: ["fs_read"], memoryPages: 16, tableElements: 5 };
    const sealed = seal(bytes, options);
    const report = inspectModule(bytes, options);
    expect(report.sealed).toEqual({ digest: sealed.digest, size: sealed.bytes.length, meterRevision });
    expect(report.caps).toEqual({ memoryPages: 16, tableElements: 5 });
    expect(seal(bytes, { ...options, memoryPages: 17 }).digest).toBe(sealed.digest);
    expect(seal(bytes, { ...options, memoryPages: 8 }).digest).not.toBe(sealed.digest);
    expect(seal(bytes, { ...options, tableElements: 6 }).digest).not.toBe(sealed.digest);
  });

  test("names every reason", () => {
    const bad = assemble(
      `(module (import "env" "abort" (func)) (import "extism:host/user" "fs_write" (func (param i64) (result i64)))
        (memory 100) (func (export "exo:fuel")) (func (drop (table.grow 0 (ref.null func) (i32.const 2)))) (func (drop (table.grow 0 (ref.null func) (i32.const 1)))) (table 1 funcref))`,
    );
    const report = inspectModule(bad, { capabilities: [], memoryPages: 64 });
    expect(report.admitted).toBe(false);
    expect(report.sealed).toBeNull();
    expect(report.reasons.map(({ code }) => code)).toEqual([
      "EXO_WASM_IMPORT",
      "EXO_WASM_IMPORT",
      "EXO_WASM_EXPORT",
      "EXO_WASM_LIMIT",
      "EXO_WASM_FEATURE",
      "EXO_WASM_FEATURE",
    ]);
    for (const { message, offset } of report.reasons) {
      expect(message).toContain(`(at byte ${offset})`);
    }
    expect(report.imports.map(({ capability }) => capability)).toEqual(["unknown", "fs_write"]);
    expect(report.capabilities).toEqual(["fs_write"]);
    expect(report.missing).toEqual(["fs_write"]);
  });

  test("misses exactly the capabilities that are imported and not granted", () => {
    const missing = (...capabilities: string[]) => inspectModule(bytes, { capabilities }).missing;
    expect(missing()).toEqual(["fs_read"]);
    expect(missing("fs_write", "log", "*", "fs_read ", "__proto__")).toEqual(["fs_read"]);
    expect(missing("fs_read")).toEqual([]);
    expect(inspectModule(bytes, { capabilities: [] }).admitted).toBe(false);
  });

  test("caps that are out of range are a reason, not an exception", () => {
    for (const caps of [{ memoryPages: -1 }, { memoryPages: 65_537 }, { tableElements: 0.5 }]) {
      const report = inspectModule(bytes, caps);
      expect(report).toMatchObject({ admitted: false, sealed: null, reasons: [{ code: "EXO_WASM_LIMIT" }] });
      expect(report.reasons.length).toBe(1);
    }
  });

  test("does not hold on to the bytes, and does not change them", () => {
    const given = bytes.slice();
    const report = inspectModule(given);
    expect(given).toEqual(bytes);
    given.fill(0);
    expect(report).toEqual(inspectModule(bytes));
  });

  test("keeps at most 100 reasons", () => {
    const imports = Array.from({ length: 300 }, (_, index) => `(import "env" "f${index}" (func))`).join("");
    const report = inspectModule(assemble(`(module ${imports} (func (export "exo:x")))`));
    expect(report.reasons.length).toBe(100);
    expect(report.imports.length).toBe(300);
  });

  test("says what it can of what is no module", () => {
    for (const junk of [new Uint8Array(0), Uint8Array.of(1, 2, 3), binary([1, [0xff]])]) {
      const report = inspectModule(junk);
      expect(report.admitted).toBe(false);
      expect(report.digest).toBe(digestOf(junk));
      expect(report.reasons.length).toBeGreaterThan(0);
      expect(report.exports).toEqual([]);
    }
  });

  test("custom sections are listed, and are not in the sealed form", () => {
    const custom = binary([0, [4, 0x6e, 0x61, 0x6d, 0x65, 1, 2, 3]], [0, [1, 0x78]]);
    expect(inspectModule(custom).customSections).toEqual([
      { name: "name", size: 8 },
      { name: "x", size: 2 },
    ]);
    expect(seal(custom).bytes).toEqual(seal(assemble("(module)")).bytes);
  });
});

describe("tables", () => {
  // Without the padding a formatter puts into tables.
  const spec = readFileSync(new URL("../../spec/sandbox.md", import.meta.url), "utf8").replaceAll(/ +/g, " ");

  /** Rows of the table with this heading row. */
  function rowsUnder(heading: string): string[] {
    const start = spec.indexOf(heading);
    return spec.slice(start, spec.indexOf("\n\n", start)).split("\n").slice(2);
  }

  test("the page's fuel table is the code's", () => {
    const {
      instruction,
      instructions,
      loopHeader,
      labelsPerUnit,
      localsPerUnit,
      dynamic,
      imports,
      lengthShift,
      revision,
    } = readFuelTable();
    const rows = rowsUnder("| what | fuel |");
    const callCost = imports[0]?.cost;
    const per = (name: string) => dynamic[name] as { multiply: number; shift: number };
    expect(rows).toEqual([
      `| an instruction not named here | ${instruction} |`,
      ...costClasses.map(({ cost, names }) => {
        expect(names.split(" ").map((name) => instructions[name])).toEqual(names.split(" ").map(() => cost));
        return `| ${names
          .split(" ")
          .map((name) => `\`${name}\``)
          .join(", ")} | ${cost} |`;
      }),
      `| each pass of a loop header | ${loopHeader} |`,
      `| \`br_table\`, for every ${labelsPerUnit} labels | 1 |`,
      `| function entry, for every ${localsPerUnit} declared locals | 1 |`,
      `| \`memory.grow\`, for every page that is granted | ${per("memory.grow").multiply} |`,
      `| \`memory.fill\`, \`memory.copy\`, \`memory.init\`, for every ${2 ** per("memory.fill").shift} bytes | ${per("memory.fill").multiply} |`,
      `| \`table.fill\`, \`table.copy\`, \`table.init\`, for every element | ${per("table.fill").multiply} |`,
      `| an import, beyond the call | ${callCost} |`,
      `| an import with a length argument, for every ${2 ** lengthShift} bytes of it | 1 |`,
    ]);
    expect(Object.keys(instructions).length).toBe(costClasses.flatMap(({ names }) => names.split(" ")).length);
    expect(Object.keys(dynamic).length).toBe(7);
    expect(dynamic["memory.copy"]).toEqual(dynamic["memory.fill"]);
    expect(dynamic["memory.init"]).toEqual(dynamic["memory.fill"]);
    expect(dynamic["table.copy"]).toEqual(dynamic["table.fill"]);
    expect(dynamic["table.init"]).toEqual(dynamic["table.fill"]);
    expect(imports.every(({ cost }) => cost === callCost)).toBe(true);
    const perVector = { multiply: 16, shift: 0 };
    expect(imports.filter(({ lengthArg }) => lengthArg !== null)).toEqual([
      { module: "extism:host/env", name: "alloc", cost: 10, lengthArg: 0 },
      { module: "extism:host/env", name: "output_set", cost: 10, lengthArg: 1 },
      { module: "wasi_snapshot_preview1", name: "fd_pwrite", cost: 10, lengthArg: 2, lengthCost: perVector },
      { module: "wasi_snapshot_preview1", name: "fd_write", cost: 10, lengthArg: 2, lengthCost: perVector },
      { module: "wasi_snapshot_preview1", name: "random_get", cost: 10, lengthArg: 1 },
    ]);
    expect(spec).toContain("`fd_write` and `fd_pwrite` are charged 16 for every vector");
    expect(revision).toBe(meterRevision);
    expect(spec).toContain(`Meter revision: **${meterRevision}**`);
  });

  test("every name in the fuel table is an instruction", () => {
    const names = new Set(opcodes.map(({ name }) => name));
    const { instructions, dynamic } = readFuelTable();
    for (const name of [...Object.keys(instructions), ...Object.keys(dynamic)]) {
      expect(names.has(name)).toBe(true);
    }
  });

  test("the page's limits are the code's", () => {
    const shown = (value: number) => value.toLocaleString("en-US");
    const { types, arity, imports, functions, tables, globals, elementEntries, locals, branchTargets, nesting } =
      structuralLimits;
    const { typeBytes, moduleLocals } = structuralLimits;
    const numbers = rowsUnder("| what | at most |").map((row) => /\| ([\d,]+)(?: each)? \|$/.exec(row)?.[1]);
    expect(numbers).toEqual(
      [
        types,
        typeBytes,
        arity,
        imports,
        functions,
        tables,
        globals,
        elementEntries,
        locals,
        moduleLocals,
        branchTargets,
        nesting,
        structuralLimits.bodyBytes,
        maxSealedBytes,
        structuralLimits.frameWords,
      ].map(shown),
    );
    const { exports, elementSegments, dataSegments, moduleBytes } = structuralLimits;
    expect([exports, elementSegments, dataSegments]).toEqual([globals, globals, globals]);
    expect(moduleBytes).toBe(64 * 1024 * 1024);
  });

  test("the allow-list: 436 instructions, each once", () => {
    expect(new Set(opcodes.map(({ code }) => code)).size).toBe(opcodes.length);
    expect(new Set(opcodes.map(({ name }) => name)).size).toBe(opcodes.length);
    expect(opcodes.length).toBe(436);
    expect(opcodes.filter(({ nan }) => nan !== undefined).length).toBe(48);
    expect(opcodes.find(({ name }) => name === "f64.promote_f32")).toEqual({
      code: 0xbb,
      name: "f64.promote_f32",
      immediate: "none",
      pops: 1,
      pushes: 1,
      nan: "f64",
    });
  });

  test("the import table: no floats, lengths are arguments, capabilities are known", () => {
    expect(new Set(importTable.map(({ module, name }) => `${module} ${name}`)).size).toBe(importTable.length);
    expect(importTable.length).toBe(26 + capabilityNames.length + 46);
    for (const { module, params, results, lengthArg, capability, cost } of importTable) {
      expect(["extism:host/env", "extism:host/user", "wasi_snapshot_preview1"]).toContain(module);
      expect([...params, ...results].every((type) => type === "i32" || type === "i64")).toBe(true);
      expect(lengthArg === undefined || lengthArg < params.length).toBe(true);
      expect(capability === null || capabilityNames.includes(capability)).toBe(true);
      expect(cost).toBe(10);
    }
    expect(capabilityEffects).toEqual({
      clock_now: "none",
      random_bytes: "none",
      log: "none",
      fs_read: "read",
      fs_write: "write",
      fs_list: "read",
      fs_stat: "read",
      fs_remove: "write",
      fs_append: "write",
      fs_mkdir: "write",
      fs_rename: "write",
      http_request: "write",
      kv_get: "read",
      kv_put: "write",
      kv_delete: "write",
      kv_list: "read",
    });
  });
});
