import { describe, expect, test } from "vitest";
import { capabilityNames, importTable } from "../../src/contracts/imports.js";
import { sealModule } from "../../src/wasm/seal.js";
import { assemble, defaults, oneFunction, refusal, seal } from "./support.js";

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

/** Offset of the first entry of a section: behind its id, its size and its count, each of one byte. */
function firstEntry(bytes: Uint8Array, id: number): number {
  let at = 8;
  while (bytes[at] !== id) {
    expect(bytes[at + 1]).toBeLessThan(128);
    at += 2 + (bytes[at + 1] as number);
  }
  return at + 3;
}

describe("imports", () => {
  const one = (text: string) => assemble(`(module ${text})`);

  test.each([
    [
      "not in the table",
      `(import "extism:host/env" "http_get" (func (param i64 i64) (result i64)))`,
      /^EXO_WASM_IMPORT import "extism:host\/env"."http_get": no such function is offered; nothing would grant it \(at byte \d+\)$/,
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
      "an unknown WASI function",
      `(import "wasi_snapshot_preview1" "fd_copy" (func (param i32 i32 i32 i32) (result i32)))`,
      /"wasi_snapshot_preview1"."fd_copy": no such function is offered/,
    ],
    ["the older WASI", `(import "wasi_unstable" "sched_yield" (func (result i32)))`, /no such function is offered/],
    ["WASI as sealed", `(import "exo:wasi_preview1" "sched_yield" (func (result i32)))`, /no such function is offered/],
    [
      "a WASI function of another type",
      `(import "wasi_snapshot_preview1" "fd_seek" (func (param i32 i32 i32 i32) (result i32)))`,
      /expected the signature \(i32, i64, i32, i32\) -> \(i32\), found \(i32, i32, i32, i32\) -> \(i32\)/,
    ],
    [
      "WASI clock",
      `(import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))`,
      /"clock_time_get": needs the capability clock_now, which "capabilities" in the manifest must name/,
    ],
    [
      "WASI random",
      `(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))`,
      /"random_get": needs the capability random_bytes/,
    ],
    [
      "kernel function without its old prefix",
      `(import "env" "alloc" (func (param i64) (result i64)))`,
      /"env"."alloc": no such function is offered/,
    ],
    [
      "old prefix in the new module",
      `(import "extism:host/env" "extism_alloc" (func (param i64) (result i64)))`,
      /"extism_alloc": no such function is offered/,
    ],
    [
      "old kernel function of another type",
      `(import "env" "extism_alloc" (func (param i32) (result i32)))`,
      /"env"."extism_alloc": expected the signature \(i64\) -> \(i64\), found \(i32\) -> \(i32\)/,
    ],
    [
      "ungranted capability by its old module",
      `(import "env" "fs_read" (func (param i64) (result i64)))`,
      /"env"."fs_read": needs the capability fs_read/,
    ],
    [
      "ungranted http_request",
      `(import "env" "extism_http_request" (func (param i64 i64) (result i64)))`,
      /"env"."extism_http_request": needs the capability http_request/,
    ],
    ["WASI by the old module", `(import "env" "sched_yield" (func (result i32)))`, /no such function is offered/],
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
      "tag",
      assemble(`(module (import "m" "n" (tag)))`, { exceptions: true }),
      /import "m"."n": a tag cannot be imported, only functions of the import table/,
    ],
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
    const bytes = typeof text === "string" ? one(text) : text;
    const message = refusal(bytes);
    expect(message).toMatch(/^EXO_WASM_IMPORT /);
    expect(message).toMatch(expected);
    expect(message.endsWith(` (at byte ${firstEntry(bytes, 2)})`)).toBe(true);
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
      const bytes = assemble(`(module ${item})`);
      expect(refusal(bytes)).toBe(
        `EXO_WASM_EXPORT the export name "${name}" is reserved (at byte ${firstEntry(bytes, 7)})`,
      );
    }
  });

  test.each([
    ["_initialize", "(param i32)", "() -> ()", "(i32) -> ()"],
    ["_initialize", "(result i64)", "() -> ()", "() -> (i64)"],
    ["__wasm_call_ctors", "(param i64)", "() -> ()", "(i64) -> ()"],
    ["hs_init", "(param i32)", "(i32, i32) -> () or () -> ()", "(i32) -> ()"],
    ["hs_init", "(param i64 i64)", "(i32, i32) -> () or () -> ()", "(i64, i64) -> ()"],
    ["hs_init", "(param i32 i32) (result i32)", "(i32, i32) -> () or () -> ()", "(i32, i32) -> (i32)"],
  ])("%s %s is no initializer the host can call", (name, type, expected, found) => {
    const bytes = assemble(`(module (func (export "${name}") ${type} unreachable))`);
    const message = `the export ${name} expects the signature ${expected}, found ${found}`;
    expect(refusal(bytes)).toBe(`EXO_WASM_EXPORT ${message} (at byte ${firstEntry(bytes, 7)})`);
  });

  test("initializers of their types, and other things of their names, are admitted", () => {
    for (const item of [
      `(func (export "_initialize"))`,
      `(func (export "__wasm_call_ctors"))`,
      `(func (export "hs_init") (param i32 i32))`,
      `(func (export "hs_init"))`,
      `(func (export "_start") (result i32) (i32.const 0))`,
      `(global (export "_initialize") i32 (i32.const 1))`,
      `(memory (export "hs_init") 1)`,
    ]) {
      expect(seal(assemble(`(module ${item})`)).exports.length).toBeLessThan(2);
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
