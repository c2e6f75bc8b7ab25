import { beforeAll, describe, expect, test } from "vitest";
import { realPool } from "../support/real.js";
import { checkStore, endOf, eventTypes, openRig, type Rig } from "../support/rig.js";
import { assemble, binary, isValid, seal } from "../wasm/support.js";
import { pluginOf } from "./support.js";

const pool = realPool({ size: 1 });

type Attack = { readonly module: Uint8Array; readonly code: string; readonly says: RegExp };

/** A module with a function `run` that does nothing, and these items. */
const wat = (items: string, features: Record<string, boolean> = {}): Uint8Array =>
  assemble(`(module ${items} (func (export "run")))`, features);
const type = [1, [1, 0x60, 0, 0]] as const;
const func = [3, [1, 0]] as const;
const run = [7, [1, 3, 0x72, 0x75, 0x6e, 0, 0]] as const;
/** A module whose function `run` has this body. */
const code = (...body: readonly number[]): Uint8Array =>
  binary(type, func, run, [10, [1, body.length + 1, 0, ...body]]);
/** i64.const 2^35. */
const plenty = [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];

const attacks: Readonly<Record<string, Attack>> = {
  "fuel refill: global 0 of a module that has none": {
    module: code(...plenty, 0x24, 0, 0x0b),
    code: "EXO_WASM_INVALID",
    says: /not a valid WebAssembly module/,
  },
  "fuel refill: the global behind the last": {
    module: binary(type, func, [6, [1, 0x7e, 1, 0x42, 0, 0x0b]], run, [10, [1, 11, 0, ...plenty, 0x24, 1, 0x0b]]),
    code: "EXO_WASM_INVALID",
    says: /not a valid WebAssembly module/,
  },
  "fuel refill: an imported global of the meter's name": {
    module: wat(`(import "main" "exo:fuel" (global (mut i64)))`, { mutable_globals: true }),
    code: "EXO_WASM_IMPORT",
    says: /a global cannot be imported/,
  },
  "fuel refill: a global exported under the meter's name": {
    module: wat(`(global (export "exo:fuel") (mut i64) (i64.const 0))`),
    code: "EXO_WASM_EXPORT",
    says: /"exo:fuel" is reserved/,
  },
  "invalid before, valid after: a call of the function behind the last": {
    module: code(0x10, 1, 0x0b),
    code: "EXO_WASM_INVALID",
    says: /there is no function 1 \(at byte \d+\)/,
  },
  "invalid before, valid after: memory.grow's stand-in in a table": {
    module: binary(
      type,
      func,
      [4, [1, 0x70, 0, 1]],
      [5, [1, 0, 1]],
      run,
      [9, [1, 0, 0x41, 0, 0x0b, 1, 1]],
      [10, [1, 2, 0, 0x0b]],
    ),
    code: "EXO_WASM_INVALID",
    says: /there is no function 1/,
  },
  "invalid before, valid after: an export of the function behind the last": {
    module: binary(type, func, [7, [1, 3, 0x72, 0x75, 0x6e, 0, 1]], [10, [1, 2, 0, 0x0b]]),
    code: "EXO_WASM_INVALID",
    says: /not a valid WebAssembly module/,
  },
  "invalid before, valid after: a local behind the last": {
    module: code(...plenty, 0x21, 0, 0x0b),
    code: "EXO_WASM_INVALID",
    says: /not a valid WebAssembly module/,
  },
  "invalid before, valid after: a branch to the block that the meter adds": {
    module: code(0x0c, 1, 0x0b),
    code: "EXO_WASM_INVALID",
    says: /there is no label 1/,
  },
  "an import that nobody offers": {
    module: wat(`(import "extism:host/env" "exec" (func (param i64) (result i64)))`),
    code: "EXO_WASM_IMPORT",
    says: /"exec": no such function is offered/,
  },
  "an import of another plugin's function": {
    module: wat(`(import "fs" "remove" (func (result i32)))`),
    code: "EXO_WASM_IMPORT",
    says: /"fs"."remove": no such function is offered/,
  },
  "import smuggling: a capability under a module of its own": {
    module: wat(`(import "user" "fs_remove" (func (param i64) (result i64)))`),
    code: "EXO_WASM_IMPORT",
    says: /"user"."fs_remove": no such function is offered/,
  },
  "import smuggling: a capability among the kernel's functions": {
    module: wat(`(import "extism:host/env" "fs_remove" (func (param i64) (result i64)))`),
    code: "EXO_WASM_IMPORT",
    says: /"extism:host\/env"."fs_remove": no such function is offered/,
  },
  "import smuggling: a capability that the manifest does not name": {
    module: wat(`(import "extism:host/user" "fs_remove" (func (param i64) (result i64)))`),
    code: "EXO_WASM_IMPORT",
    says: /needs the capability fs_remove, which "capabilities" in the manifest must name/,
  },
  "import smuggling: behind one that is granted, and behind one that is the kernel's": {
    module: wat(`(import "extism:host/user" "log" (func (param i64) (result i64)))
      (import "extism:host/env" "free" (func (param i64))) (import "extism:host/user" "fs_write" (func (param i64) (result i64)))`),
    code: "EXO_WASM_IMPORT",
    says: /"fs_write": needs the capability fs_write/,
  },
  "import smuggling: a kernel function with another signature": {
    module: wat(`(import "extism:host/env" "output_set" (func (param i64 i64 i64)))`),
    code: "EXO_WASM_IMPORT",
    says: /expected the signature \(i64, i64\) -> \(\), found \(i64, i64, i64\) -> \(\)/,
  },
  "import smuggling: the same function twice, the second time with another signature": {
    module: wat(`(import "extism:host/env" "alloc" (func (param i64) (result i64)))
      (import "extism:host/env" "alloc" (func (param i64) (result f64)))`),
    code: "EXO_WASM_IMPORT",
    says: /expected the signature \(i64\) -> \(i64\), found \(i64\) -> \(f64\)/,
  },
  "import smuggling: the kernel's memory": {
    module: wat(`(import "extism:host/env" "memory" (memory 1))`),
    code: "EXO_WASM_IMPORT",
    says: /a memory cannot be imported/,
  },
  "import smuggling: a function as a table": {
    module: wat(`(import "extism:host/env" "alloc" (table 1 funcref))`),
    code: "EXO_WASM_IMPORT",
    says: /a table cannot be imported/,
  },
  "import smuggling: a name that differs by what cannot be seen": {
    module: wat(`(import "extism:host/env" "alloc\\00" (func (param i64) (result i64)))`),
    code: "EXO_WASM_IMPORT",
    says: /"alloc\\u\{0\}": no such function/,
  },
  ...Object.fromEntries(
    ["exo:fuel", "exo:stack", "exo:state", "exo:start", "exo:memory", "exo:"].map((name): [string, Attack] => [
      `a reserved export: ${name}`,
      { module: wat(`(func (export "${name}"))`), code: "EXO_WASM_EXPORT", says: new RegExp(`"${name}" is reserved`) },
    ]),
  ),
  "a sealed module in the place of its original": {
    module: seal(wat("")).bytes,
    code: "EXO_WASM_EXPORT",
    says: /"exo:fuel" is reserved/,
  },
  "table growth: table.grow": {
    module: wat(`(table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1000000))))`),
    code: "EXO_WASM_FEATURE",
    says: /not admitted: table.grow, opcode 0xfc 15 \(at byte \d+\)/,
  },
  "table growth: a table that starts beyond the cap": {
    module: wat("(table 10001 funcref)"),
    code: "EXO_WASM_LIMIT",
    says: /the tables start with 10001 elements, the cap is 10000/,
  },
  "table growth: tables that start beyond the cap together": {
    module: wat("(table 5000 funcref) (table 5000 externref) (table 1 funcref)"),
    code: "EXO_WASM_LIMIT",
    says: /the tables start with 10001 elements, the cap is 10000/,
  },
  "table growth: a hundred tables and one": {
    module: wat("(table 0 funcref)".repeat(101)),
    code: "EXO_WASM_LIMIT",
    says: /101 table entries, at most 100 are admitted/,
  },
  "a memory that starts beyond the cap": {
    module: wat("(memory 257)"),
    code: "EXO_WASM_LIMIT",
    says: /the memory starts with 257 pages, the cap is 256/,
  },
  "a function that the manifest names and the module lacks": {
    module: assemble(`(module (func (export "other")))`),
    code: "EXO_WASM_EXPORT",
    says: /expected an exported function run of type \(\) -> i32; exported are: other/,
  },
  "a function that takes parameters": {
    module: assemble(`(module (func (export "run") (param i32)))`),
    code: "EXO_WASM_EXPORT",
    says: /exported are: none/,
  },
};

describe("a plugin that would get more than it is granted", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig({ sandbox: pool, plugins: [], rules: [{ id: "all", match: {}, verdict: "allow" }] });
  });

  test.each(Object.entries(attacks))("is refused by its code: %s", async (_what, { module, code: expected, says }) => {
    const plugin = pluginOf("intruder", module);
    await rig.add(plugin);
    const [name, refusal] = rig.pipeline.executors.listRefused()[0] ?? [];
    expect([name, refusal?.code]).toEqual(["intruder", expected]);
    expect(refusal?.message).toMatch(says);
    expect(rig.pipeline.executors.list()).toEqual([]);
    // An intent that names it is denied and recorded, and no run has begun.
    const executor = "intruder";
    const denied = await rig.pipeline.execute({ actor: "a", action: "attack.intruder", executor, parameters: {} });
    expect(endOf(denied)).toBe("denied EXO_PLUGIN_REFUSED");
    expect("reason" in denied && denied.reason.message).toContain(`${expected}: `);
    expect(eventTypes(rig, denied.intentId)).toEqual(["intent_received", "intent_denied"]);
    expect(pool.load()).toMatchObject({ running: 0, queued: 0 });
  });

  test("the modules that are invalid would be valid with what the meter appends", () => {
    const invalid = Object.entries(attacks).filter(([, { code: expected }]) => expected === "EXO_WASM_INVALID");
    expect(invalid.length).toBe(7);
    for (const [, { module }] of invalid) expect(isValid(module)).toBe(false);
    // The global, the function and the table entry are there once three globals and a function are appended.
    const behind = [
      [6, [3, 0x7e, 1, 0x42, 0, 0x0b, 0x7f, 1, 0x41, 0, 0x0b, 0x7f, 1, 0x41, 0, 0x0b]] as const,
      run,
    ] as const;
    expect(isValid(binary(type, func, ...behind, [10, [1, 11, 0, ...plenty, 0x24, 0, 0x0b]]))).toBe(true);
    expect(isValid(binary(type, [3, [2, 0, 0]], ...behind, [10, [2, 4, 0, 0x10, 1, 0x0b, 2, 0, 0x0b]]))).toBe(true);
  });

  test("does not run in the place of the one before it, until a good one comes", async () => {
    const good = pluginOf("intruder", wat(""));
    await rig.add(good);
    const intent = { actor: "a", action: "attack.intruder", parameters: {} };
    expect(endOf(await rig.pipeline.execute(intent))).toBe("executed");
    await rig.add(pluginOf("intruder", attacks["table growth: table.grow"]?.module ?? new Uint8Array(0)));
    expect(endOf(await rig.pipeline.execute(intent))).toBe("denied EXO_EXECUTOR_UNKNOWN");
    await rig.add(good);
    expect(endOf(await rig.pipeline.execute(intent))).toBe("executed");
  });

  test("every record verifies", () => {
    expect(checkStore(rig).length).toBe(Object.keys(attacks).length + 3);
  });
});
