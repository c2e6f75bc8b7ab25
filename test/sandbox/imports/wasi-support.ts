import { decodeAbi, encodeAbi } from "../../../src/canonical/msgpack.js";
import { wasiRows } from "../../../src/contracts/wasi.js";
import type { AbiValue, GuestAnswer, GuestCall, SandboxJob, SandboxOutcome } from "../../../src/ports.js";
import { assemble, seal } from "../../wasm/support.js";
import { type JobDraft, runHere } from "../support.js";

const shapes = wasiRows.map(({ name, params, results }) => {
  const type = `${params.length > 0 ? `(param ${params.join(" ")})` : ""} ${results.length > 0 ? "(result i32)" : ""}`;
  return `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${type}))`;
});

/** Where `$r` keeps the error numbers, and the end of the memory that is shown. */
const resultsAt = 1024;
const shownBytes = 2048;

/**
 * A sealed guest of every WASI function. Its function `run` has the body `body`, in which `(call $r X)` keeps the error
 * number X, and then outputs the first 2,048 bytes of its memory; `before` comes before it in the module.
 */
export function wasiGuest(body: string, before = "", memory = `(memory (export "memory") 1 4)`): SandboxJob["module"] {
  const source = `(module ${shapes.join("\n")}
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
    (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
    (import "extism:host/env" "error_set" (func $error_set (param i64)))
    ${memory}
    (global $at (mut i32) (i32.const ${resultsAt}))
    (func $r (param i32) (i32.store (global.get $at) (local.get 0)) (global.set $at (i32.add (global.get $at) (i32.const 4))))
    (func $show (local $block i64) (local $i i32)
      (local.set $block (call $alloc (i64.const ${shownBytes})))
      (loop $next
        (call $store_u8 (i64.add (local.get $block) (i64.extend_i32_u (local.get $i))) (i32.load8_u (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const ${shownBytes}))))
      (call $output_set (local.get $block) (i64.const ${shownBytes})))
    ${before}
    (func (export "run") (result i32) (local $i i32) ${body} (call $show) (i32.const 0)))`;
  return seal(assemble(source), { capabilities: ["clock_now", "random_bytes"] });
}

/** What a probe came to: error numbers in order, memory below 1,024, capability calls with their requests. */
export type Probed = {
  readonly outcome: SandboxOutcome;
  readonly errnos: readonly number[];
  readonly memory: Uint8Array;
  readonly calls: readonly (readonly [capability: string, request: AbiValue])[];
};

type Draft = Omit<JobDraft, "call"> & { readonly answer?: (call: GuestCall) => GuestAnswer; readonly before?: string };

/** Runs a body of {@link wasiGuest} that keeps `count` error numbers. */
export async function probe(body: string, count: number, draft: Draft = {}): Promise<Probed> {
  const calls: GuestCall[] = [];
  const outcome = await runHere(wasiGuest(body, draft.before), { answer: answerWasi, ...draft }, calls);
  const shown = outcome.output ?? new Uint8Array(shownBytes);
  const view = new DataView(shown.buffer, shown.byteOffset);
  return {
    outcome,
    errnos: Array.from({ length: count }, (_, index) => view.getUint32(resultsAt + index * 4, true)),
    memory: shown.subarray(0, resultsAt),
    calls: calls.map(({ capability, request }) => [capability, decodeAbi(request)] as const),
  };
}

/** The time the first clock call is answered with; every further call is 5 ms later. */
export const firstMs = 1_769_850_000_123;

/** Answers clock, random and log as a broker would. */
export function answerWasi(call: GuestCall): GuestAnswer {
  return answer({ ok: contentOf(call) });
}

function contentOf({ capability, request, seq }: GuestCall): AbiValue {
  if (capability === "clock_now") return { ms: firstMs + seq * 5 };
  if (capability !== "random_bytes") return {};
  const { length } = decodeAbi(request) as { length: number };
  return { bytes: Uint8Array.from({ length }, (_, index) => (index + seq) & 0xff) };
}

/** An answer of this document. */
export function answer(document: AbiValue): GuestAnswer {
  return { kind: "answer", response: encodeAbi(document) };
}

export const u64At = (memory: Uint8Array, at: number): bigint =>
  new DataView(memory.buffer, memory.byteOffset).getBigUint64(at, true);
export const u32At = (memory: Uint8Array, at: number): number =>
  new DataView(memory.buffer, memory.byteOffset).getUint32(at, true);

/** Calls a function with every argument 0 but those named. */
export function callOf(name: string, args: Readonly<Record<number, number>> = {}): string {
  const row = wasiRows.find((candidate) => candidate.name === name);
  const values = (row?.params ?? []).map((type, index) => `(${type}.const ${args[index] ?? 0})`);
  return `(call $r (call $${name} ${values.join(" ")}))`;
}

/** Stores a text at 512 and a vector at 0 that names it. */
export function written(text: string): string {
  const bytes = Array.from(
    new TextEncoder().encode(text),
    (byte, index) => `(i32.store8 (i32.const ${512 + index}) (i32.const ${byte}))`,
  );
  return `${bytes.join(" ")} (i32.store (i32.const 0) (i32.const 512)) (i32.store (i32.const 4) (i32.const ${bytes.length}))`;
}
export const write = (fd: number, count = 1, result = 256): string =>
  callOf("fd_write", { 0: fd, 2: count, 3: result });
