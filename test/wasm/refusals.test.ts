import { describe, expect, test } from "vitest";
import { capabilityNames, importTable } from "../../src/contracts/imports.js";
import { sealModule } from "../../src/wasm/seal.js";
import { assemble, binary, defaults, leb, oneFunction, refusal, seal } from "./support.js";

/** Offset of the first instruction in `oneFunction`. */
const firstInstruction = 30;

describe("size", () => {
  test("an empty module and one beyond the cap", () => {
    expect(refusal(new Uint8Array(0))).toBe("EXO_WASM_SIZE the module has 0 bytes, expected 1 to 67108864");
    expect(refusal(new Uint8Array(67_108_865))).toBe(
      "EXO_WASM_SIZE the module has 67108865 bytes, expected 1 to 67108864",
    );
    const small = assemble("(module)");
    expect(refusal(small, { maxBytes: small.length - 1 })).toBe(
      "EXO_WASM_SIZE the module has 8 bytes, expected 1 to 7",
    );
    expect(seal(small, { maxBytes: small.length }).exports).toEqual([]);
  });

  test.each([
    [{ memoryPages: -1 }],
    [{ memoryPages: 65_537 }],
    [{ memoryPages: 1.5 }],
    [{ memoryPages: Number.NaN }],
    [{ tableElements: 10_000_001 }],
    [{ tableElements: -0.5 }],
  ])("caps out of range: %o", (options) => {
    expect(refusal(assemble("(module)"), options)).toMatch(/^EXO_WASM_LIMIT the caps must be integers/);
  });
});

describe("not a module", () => {
  test.each([
    ["one byte", [0], "not a WebAssembly binary: the magic number is missing (at byte 0)"],
    [
      "text",
      [...new TextEncoder().encode("(module) ;; text")],
      "not a WebAssembly binary: the magic number is missing (at byte 0)",
    ],
    ["another version", [0, 0x61, 0x73, 0x6d, 2, 0, 0, 0], "not a core WebAssembly module of version 1 (at byte 4)"],
    ["a component", [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0], "not a core WebAssembly module of version 1 (at byte 4)"],
    [
      "a section beyond the end",
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 0],
      "section 1 is longer than the module (at byte 8)",
    ],
  ])("%s", (_, bytes, message) => {
    expect(refusal(Uint8Array.from(bytes))).toBe(`EXO_WASM_INVALID ${message}`);
  });

  test("what only the engine's validation sees", () => {
    expect(refusal(oneFunction([0, 0x41, 1, 0x0b]))).toBe(
      "EXO_WASM_INVALID the bytes are not a valid WebAssembly module",
    );
    expect(refusal(oneFunction([0, 0x6a, 0x0b]))).toBe(
      `EXO_WASM_INVALID an instruction lacks operands (at byte ${firstInstruction + 1})`,
    );
  });
});

describe("features", () => {
  test.each([
    [
      "shared memory",
      `(module (memory 1 2 shared))`,
      { threads: true },
      /not admitted: threads, memory limits 0x3 \(at byte 11\)/,
    ],
    [
      "atomics",
      `(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))`,
      { threads: true },
      /not admitted: threads, opcode 0xfe 16/,
    ],
    [
      "exceptions",
      `(module (tag $t) (func (throw $t)))`,
      { exceptions: true },
      /not admitted: exceptions, tag section/,
    ],
    ["try", `(module (func (try (do) (catch_all))))`, { exceptions: true }, /not admitted: exceptions, opcode 0x6/],
    ["tail call", `(module (func $f (return_call $f)))`, { tail_call: true }, /not admitted: tail calls, opcode 0x12/],
    ["memory64", `(module (memory i64 1))`, { memory64: true }, /not admitted: memory64, memory limits 0x4/],
    [
      "extended constants",
      `(module (global i32 (i32.add (i32.const 1) (i32.const 2))))`,
      { extended_const: true },
      /not admitted: extended constant expressions \(at byte 15\)/,
    ],
    [
      "relaxed SIMD",
      `(module (func (drop (f32x4.relaxed_min (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0)))))`,
      { simd: true, relaxed_simd: true },
      /not admitted: relaxed SIMD, opcode 0xfd 269 \(at byte \d+\)/,
    ],
    [
      "table.grow",
      `(module (table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1)))))`,
      {},
      /not admitted: table.grow, opcode 0xfc 15 \(at byte \d+\)/,
    ],
  ])("%s", (_, source, features, expected) => {
    const message = refusal(assemble(source, features));
    expect(message).toMatch(/^EXO_WASM_FEATURE /);
    expect(message).toMatch(expected);
  });

  test.each([
    ["GC struct type", binary([1, [1, 0x5f, 0]]), "not admitted: garbage collection, type form 0x5f (at byte 11)"],
    ["recursive types", binary([1, [1, 0x4e, 0]]), "not admitted: garbage collection, type form 0x4e (at byte 11)"],
    [
      "typed references",
      binary([1, [1, 0x60, 1, 0x63, 0x70, 0]]),
      "not admitted: typed function references, value type 0x63 (at byte 13)",
    ],
    ["two memories", binary([5, [2, 0, 1, 0, 1]]), "not admitted: multi-memory, more than one memory (at byte 10)"],
    [
      "GC instruction",
      oneFunction([0, 0xfb, 0, 0, 0x0b]),
      `not admitted: garbage collection, opcode 0xfb 0 (at byte ${firstInstruction})`,
    ],
    [
      "ref.eq",
      oneFunction([0, 0xd3, 0x0b]),
      `not admitted: garbage collection, opcode 0xd3 (at byte ${firstInstruction})`,
    ],
    [
      "call_ref",
      oneFunction([0, 0x14, 0, 0x0b]),
      `not admitted: typed function references, opcode 0x14 (at byte ${firstInstruction})`,
    ],
    [
      "wide arithmetic",
      oneFunction([0, 0xfc, 19, 0x0b]),
      `not admitted: wide arithmetic, opcode 0xfc 19 (at byte ${firstInstruction})`,
    ],
    [
      "unknown opcode",
      oneFunction([0, 0x27, 0x0b]),
      `not admitted: an unknown instruction, opcode 0x27 (at byte ${firstInstruction})`,
    ],
    [
      "unknown sub-opcode",
      oneFunction([0, 0xfc, ...leb(4_000_000_000), 0x0b]),
      `not admitted: an unknown instruction, opcode 0xfc 4000000000 (at byte ${firstInstruction})`,
    ],
    ["unknown section", binary([14, [0]]), "not admitted: section 14 (at byte 8)"],
    [
      "memory of another page size",
      binary([5, [1, 8, 1, 0]]),
      "not admitted: custom page sizes, memory limits 0x8 (at byte 11)",
    ],
    [
      "refused in dead code too",
      oneFunction([0, 0x00, 0xfd, 0x80, 0x02, 0x0b]),
      `not admitted: relaxed SIMD, opcode 0xfd 256 (at byte ${firstInstruction + 1})`,
    ],
    [
      "a table with an initialiser",
      binary([4, [1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b]]),
      "not admitted: typed function references, table initialiser (at byte 11)",
    ],
    [
      "an initialiser that reads a global",
      binary([6, [2, 0x7f, 0, 0x41, 1, 0x0b, 0x7f, 0, 0x23, 0, 0x0b]]),
      "not admitted: an initialiser that reads a global (at byte 18)",
    ],
  ])("%s", (_, bytes, message) => {
    expect(refusal(bytes)).toBe(`EXO_WASM_FEATURE ${message}`);
  });
});

describe("imports", () => {
  const one = (text: string) => assemble(`(module ${text})`);

  test.each([
    [
      "not in the table",
      `(import "extism:host/env" "http_request" (func (param i64 i64) (result i64)))`,
      /^EXO_WASM_IMPORT import "extism:host\/env"."http_request": no such function is offered; nothing would grant it \(at byte \d+\)$/,
    ],
    [
      "same name, other module",
      `(import "env" "alloc" (func (param i64) (result i64)))`,
      /"env"."alloc": no such function is offered/,
    ],
    [
      "kernel function in the capability module",
      `(import "extism:host/user" "alloc" (func (param i64) (result i64)))`,
      /"extism:host\/user"."alloc": no such function/,
    ],
    [
      "capability in the kernel module",
      `(import "extism:host/env" "fs_read" (func (param i64) (result i64)))`,
      /"extism:host\/env"."fs_read": no such function/,
    ],
    [
      "WASI",
      `(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))`,
      /no such function is offered/,
    ],
    [
      "wrong parameter",
      `(import "extism:host/env" "alloc" (func (param i32) (result i64)))`,
      /"extism:host\/env"."alloc": expected the signature \(i64\) -> \(i64\), found \(i32\) -> \(i64\)/,
    ],
    [
      "wrong result",
      `(import "extism:host/env" "length" (func (param i64)))`,
      /expected the signature \(i64\) -> \(i64\), found \(i64\) -> \(\)/,
    ],
    [
      "float",
      `(import "extism:host/env" "load_u64" (func (param i64) (result f64)))`,
      /expected the signature \(i64\) -> \(i64\), found \(i64\) -> \(f64\)/,
    ],
    ["reference", `(import "extism:host/env" "free" (func (param externref)))`, /found \(externref\) -> \(\)/],
    [
      "ungranted capability",
      `(import "extism:host/user" "fs_read" (func (param i64) (result i64)))`,
      /"extism:host\/user"."fs_read": needs the capability fs_read, which "capabilities" in the manifest must name/,
    ],
    [
      "memory",
      `(import "extism:host/env" "memory" (memory 1))`,
      /a memory cannot be imported, only functions of the import table/,
    ],
    ["table", `(import "extism:host/env" "table" (table 1 funcref))`, /a table cannot be imported/],
    ["global", `(import "extism:host/env" "alloc" (global i64))`, /a global cannot be imported/],
    [
      "a name with a byte order mark",
      `(import "extism:host/env" "\\ef\\bb\\bfalloc" (func (param i64) (result i64)))`,
      /"\\u\{feff\}alloc": no such function/,
    ],
    [
      "a name that would break the line",
      `(import "a\\0ab" "c\\1b[31m" (func))`,
      /import "a\\u\{a\}b"."c\\u\{1b\}\[31m": no such/,
    ],
    [
      "a name that joins two",
      `(import "extism:host/env\\0aalloc" "" (func (param i64) (result i64)))`,
      /no such function/,
    ],
  ])("%s", (_, text, expected) => {
    const message = refusal(one(text));
    expect(message).toMatch(/^EXO_WASM_IMPORT /);
    expect(message).toMatch(expected);
  });

  test("every row is admitted when its capability is granted, and only then", () => {
    for (const { module, name, params, results, capability } of importTable) {
      const bytes = one(
        `(import "${module}" "${name}" (func (param ${params.join(" ")}) (result ${results.join(" ")})))`,
      );
      expect(seal(bytes, { capabilities: capabilityNames }).imports).toEqual([{ module, name, capability }]);
      const bare = sealModule(bytes, defaults);
      expect(bare.ok).toBe(capability === null || capability === "log");
    }
  });

  test("granting one capability grants no other", () => {
    const bytes = one(`(import "extism:host/user" "fs_write" (func (param i64) (result i64)))`);
    const others = capabilityNames.filter((name) => name !== "fs_write");
    expect(refusal(bytes, { capabilities: [...others, "*", "fs_write ", "__proto__"] })).toMatch(/^EXO_WASM_IMPORT /);
  });

  test("a long name is cut", () => {
    expect(refusal(one(`(import "${"m".repeat(5000)}" "x" (func))`)).length).toBeLessThan(250);
  });
});

describe("exports", () => {
  test.each(["exo:fuel", "exo:stack", "exo:state", "exo:start", "exo:", "exo:anything"])("%s is reserved", (name) => {
    for (const item of [
      `(func (export "${name}"))`,
      `(global (export "${name}") i32 (i32.const 1))`,
      `(memory (export "${name}") 1)`,
    ]) {
      expect(refusal(assemble(`(module ${item})`))).toMatch(
        new RegExp(`^EXO_WASM_EXPORT the export name "${name}" is reserved \\(at byte \\d+\\)$`),
      );
    }
  });

  test("names that only resemble them are the guest's own", () => {
    const sealed = seal(
      assemble(
        `(module (func (export "exo") (export "Exo:fuel") (export " exo:fuel") (export "exo:fuel".)))`.replace(
          ` (export "exo:fuel".)`,
          "",
        ),
      ),
    );
    expect(sealed.exports).toEqual(["exo", "Exo:fuel", " exo:fuel"]);
  });
});

describe("limits", () => {
  test("a memory or tables that start beyond the cap", () => {
    expect(refusal(assemble(`(module (memory 65))`))).toBe(
      "EXO_WASM_LIMIT the memory starts with 65 pages, the cap is 64 (at byte 11)",
    );
    expect(refusal(assemble(`(module (table 1001 funcref))`))).toBe(
      "EXO_WASM_LIMIT the tables start with 1001 elements, the cap is 1000 (at byte 12)",
    );
    expect(refusal(assemble(`(module (table 600 funcref) (table 600 externref))`))).toBe(
      "EXO_WASM_LIMIT the tables start with 1200 elements, the cap is 1000 (at byte 16)",
    );
    expect(seal(assemble(`(module (memory 64) (table 1000 funcref))`)).memoryPages).toBe(64);
  });

  test.each([
    [
      "imports",
      assemble(`(module ${`(import "extism:host/env" "free" (func (param i64)))`.repeat(1001)})`),
      "EXO_WASM_LIMIT 1001 import entries, at most 1000 are admitted",
    ],
    [
      "tables",
      binary([4, [...leb(101), ...Array.from({ length: 101 }, () => [0x70, 0, 0]).flat()]]),
      "EXO_WASM_LIMIT 101 table entries, at most 100 are admitted",
    ],
    [
      "nesting",
      oneFunction([
        0,
        ...Array.from({ length: 10_001 }, () => [2, 0x40]).flat(),
        ...Array.from({ length: 10_002 }, () => 0x0b),
      ]),
      "EXO_WASM_LIMIT blocks nest deeper than 10000",
    ],
  ])("too many %s", (_, bytes, message) => {
    expect(refusal(bytes).startsWith(message)).toBe(true);
  });

  test("a body that metering makes too large is refused, not an internal error", () => {
    const step = [0x03, 0x40, 0x0b];
    const body = [1, 1, 0x7f, ...Array.from({ length: 400_000 }, () => step).flat(), 0x0b];
    expect(refusal(oneFunction(body))).toMatch(
      /^EXO_WASM_LIMIT a function takes \d+ bytes when metered, at most 7654321 fit \(at byte \d+\)$/,
    );
  });
});
