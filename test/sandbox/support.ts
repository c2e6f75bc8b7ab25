import type { GuestAnswer, GuestCall, RunLimits, SandboxHost, SandboxJob, SandboxOutcome } from "../../src/ports.js";
import { compileGuest } from "../../src/sandbox/extism.js";
import { createSandboxPool, type SandboxPoolOptions } from "../../src/sandbox/pool.js";
import { describeGuest, runGuest } from "../../src/sandbox/run.js";
import { assemble, seal } from "../wasm/support.js";

/** The built worker; `npm test` builds first. SANDBOX_WORKER names another build. */
export const workerUrl = new URL(process.env["SANDBOX_WORKER"] ?? "../../dist/sandbox/worker.js", import.meta.url);

export const limits: RunLimits = {
  fuel: 10_000_000,
  stackBytes: 262_144,
  outputBytes: 65_536,
  kernelBytes: 1_048_576,
  hostCalls: 50,
  timeoutMs: 20_000,
};

/** The built entry of child processes. */
export const processUrl = new URL("../../dist/sandbox/worker-process.js", import.meta.url);

const i64 = (count: number): string => (count === 0 ? "" : `(param${" i64".repeat(count)})`);

const functions: readonly (readonly [module: string, name: string, type: string])[] = [
  ["env", "alloc", `${i64(1)} (result i64)`],
  ["env", "free", i64(1)],
  ["env", "length", `${i64(1)} (result i64)`],
  ["env", "length_unsafe", `${i64(1)} (result i64)`],
  ["env", "load_u8", `${i64(1)} (result i32)`],
  ["env", "load_u64", `${i64(1)} (result i64)`],
  ["env", "store_u8", "(param i64 i32)"],
  ["env", "store_u64", i64(2)],
  ["env", "input_offset", "(result i64)"],
  ["env", "input_length", "(result i64)"],
  ["env", "input_load_u8", `${i64(1)} (result i32)`],
  ["env", "input_load_u64", `${i64(1)} (result i64)`],
  ["env", "output_set", i64(2)],
  ["env", "error_set", i64(1)],
  ["env", "config_get", `${i64(1)} (result i64)`],
  ["env", "var_get", `${i64(1)} (result i64)`],
  ["env", "var_set", i64(2)],
  ["env", "log_trace", i64(1)],
  ["env", "log_debug", i64(1)],
  ["env", "log_info", i64(1)],
  ["env", "log_warn", i64(1)],
  ["env", "log_error", i64(1)],
  ["env", "get_log_level", "(result i32)"],
  ["user", "clock_now", `${i64(1)} (result i64)`],
  ["user", "random_bytes", `${i64(1)} (result i64)`],
];

const prelude = functions
  .map(([module, name, type]) => `(import "extism:host/${module}" "${name}" (func $${name} ${type}))`)
  .join("\n");

/** WAT: `$text` puts bytes of linear memory into a new block and returns its address. */
export const textHelper = `
  (func $text (param $from i32) (param $length i32) (result i64) (local $block i64) (local $i i32)
    (local.set $block (call $alloc (i64.extend_i32_u (local.get $length))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $length)))
      (call $store_u8 (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (i32.add (local.get $from) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (local.get $block))`;

/**
 * WAT helpers: `$text` puts bytes of linear memory into a new block and returns its address, `$show` makes an i64 the
 * output, `$all` makes the whole of a block the output.
 */
const helpers = `${textHelper}
  (func $show (param $value i64) (local $block i64)
    (local.set $block (call $alloc (i64.const 8)))
    (call $store_u64 (local.get $block) (local.get $value))
    (call $output_set (local.get $block) (i64.const 8)))
  (func $all (param $block i64)
    (call $output_set (local.get $block) (call $length (local.get $block))))`;

/** A sealed guest: every kernel import, one exported memory, the helpers, and `body`. */
export function guest(body: string, memory = "1 4", memoryPages = 16): SandboxJob["module"] {
  const source = `(module ${prelude} (memory (export "memory") ${memory}) ${helpers} ${body})`;
  return seal(assemble(source), { capabilities: ["clock_now", "random_bytes"], memoryPages });
}

/** A sealed guest whose function `run` has this body and returns 0 unless the body returns before. */
export function program(body: string, rest = "", memory?: string, memoryPages?: number): SandboxJob["module"] {
  return guest(
    `${rest} (func (export "run") (result i32) (local $a i64) (local $b i64) (local $i i32) ${body} (i32.const 0))`,
    memory,
    memoryPages,
  );
}

/** What a test says of a job; the rest is filled in. */
export type JobDraft = {
  readonly function?: string;
  readonly input?: Uint8Array;
  readonly limits?: Partial<RunLimits>;
  readonly call?: SandboxJob["call"];
};

export function job(module: SandboxJob["module"], draft: JobDraft = {}): SandboxJob {
  return {
    module,
    function: draft.function ?? "run",
    input: draft.input ?? new Uint8Array(0),
    limits: { ...limits, ...draft.limits },
    call: draft.call ?? (() => ({ kind: "answer", response: new Uint8Array(0) })),
  };
}

/** Runs in this thread. `calls` collects what the guest asked. */
export async function runHere(
  module: SandboxJob["module"],
  draft: Omit<JobDraft, "call"> & { readonly answer?: (call: GuestCall) => GuestAnswer } = {},
  calls: GuestCall[] = [],
): Promise<SandboxOutcome> {
  const { input, limits: bounds, function: name } = job(module, draft);
  return runGuest(
    describeGuest(await compileGuest(module.bytes)),
    { function: name, input: new Uint8Array(input), limits: bounds },
    (call) => {
      calls.push(call);
      return draft.answer?.(call) ?? { kind: "answer", response: new Uint8Array(0) };
    },
  );
}

export function createPool(options: Omit<SandboxPoolOptions, "workerUrl"> = {}): SandboxHost {
  return createSandboxPool({ workerUrl, size: 1, ...options });
}

/** Little-endian u64 in an output of 8 bytes. */
export function number(outcome: SandboxOutcome): bigint {
  const { output } = outcome;
  if (output === undefined || output.length !== 8) {
    throw new Error(`expected an output of 8 bytes, got ${JSON.stringify(outcome)}`);
  }
  return new DataView(output.buffer, output.byteOffset).getBigUint64(0, true);
}

export function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}
