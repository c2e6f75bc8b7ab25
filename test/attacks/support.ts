import type { CapabilityName } from "../../src/contracts/imports.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import { textHelper } from "../sandbox/support.js";
import type { Plugin } from "../support/rig.js";
import { assemble } from "../wasm/support.js";

const kernel: readonly (readonly [name: string, type: string])[] = [
  ["alloc", "(param i64) (result i64)"],
  ["free", "(param i64)"],
  ["length", "(param i64) (result i64)"],
  ["load_u64", "(param i64) (result i64)"],
  ["store_u8", "(param i64 i32)"],
  ["store_u64", "(param i64 i64)"],
  ["input_length", "(result i64)"],
  ["input_load_u8", "(param i64) (result i32)"],
  ["output_set", "(param i64 i64)"],
  ["error_set", "(param i64)"],
  ["var_set", "(param i64 i64)"],
];

/**
 * `$text` puts bytes of linear memory into a new block, `$say` makes them the output, `$take` copies the input to linear
 * memory, `$fill` makes a block of one byte again and again, `$all` makes a whole block the output.
 */
const helpers = `${textHelper}
  (func $say (param $from i32) (param $length i32)
    (call $output_set (call $text (local.get $from) (local.get $length)) (i64.extend_i32_u (local.get $length))))
  (func $take (param $to i32) (local $i i32)
    (block $done (loop $next
      (br_if $done (i64.ge_u (i64.extend_i32_u (local.get $i)) (call $input_length)))
      (i32.store8 (i32.add (local.get $to) (local.get $i)) (call $input_load_u8 (i64.extend_i32_u (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))))
  (func $fill (param $eight i64) (param $length i64) (result i64) (local $block i64) (local $at i64)
    (local.set $block (call $alloc (local.get $length)))
    (block $done (loop $next
      (br_if $done (i64.ge_u (i64.add (local.get $at) (i64.const 8)) (local.get $length)))
      (call $store_u64 (i64.add (local.get $block) (local.get $at)) (local.get $eight))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br $next)))
    (local.get $block))
  (func $all (param $block i64) (call $output_set (local.get $block) (call $length (local.get $block))))`;

/** What a hostile plugin is made of, in WAT, and how its manifest describes it. */
export type Hostile = {
  /** Of the function `run`; locals `$a`, `$b` (i64) and `$i` (i32). It returns 0 unless the body returns before. */
  readonly body: string;
  /** Further items of the module. */
  readonly rest?: string;
  readonly capabilities?: readonly CapabilityName[];
  readonly memory?: string;
  readonly limits?: ManifestDraft["limits"];
  readonly output?: "json" | "text" | "bytes";
  /** What the function declares; with anything but none its target is the parameter `path`. */
  readonly effects?: "none" | "read" | "write";
};

/** Bytes as a WAT string. */
export function watBytes(bytes: Uint8Array | readonly number[]): string {
  return `"${Array.from(bytes, (byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("")}"`;
}

/** The module of a hostile plugin, as its author built it. */
function hostileModule({ body, rest = "", capabilities = [], memory = "1 4" }: Hostile): Uint8Array {
  const imports = [
    ...kernel.map(([name, type]) => `(import "extism:host/env" "${name}" (func $${name} ${type}))`),
    ...capabilities.map((name) => `(import "extism:host/user" "${name}" (func $${name} (param i64) (result i64)))`),
  ];
  return assemble(`(module ${imports.join("\n")} (memory (export "memory") ${memory}) ${helpers} ${rest}
    (func (export "run") (result i32) (local $a i64) (local $b i64) (local $i i32) ${body} (i32.const 0)))`);
}

/** A plugin of these bytes, with one function `run` that claims the action `attack.NAME`. */
export function pluginOf(name: string, wasm: Uint8Array, hostile: Omit<Hostile, "body"> = {}): Plugin {
  const { capabilities = [], limits, output = "bytes", effects = "none" } = hostile;
  const target = effects === "none" ? {} : { target: "/path" };
  return {
    wasm,
    manifest: {
      schema: "exoarmur.executor/v1",
      name,
      version: "1.0.0",
      functions: [{ name: "run", action: `attack.${name}`, output, effects, ...target }],
      capabilities: capabilities.map((capability) => ({ name: capability })),
      ...(limits === undefined ? {} : { limits }),
    },
  };
}

/** A hostile plugin with its manifest. */
export function hostilePlugin(name: string, hostile: Hostile): Plugin {
  return pluginOf(name, hostileModule(hostile), hostile);
}
