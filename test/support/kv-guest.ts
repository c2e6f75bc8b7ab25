import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import { concatBytes, decodeUtf8, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { AbiValue } from "../../src/ports.js";
import { hostilePlugin } from "../attacks/support.js";
import type { Plugin } from "./rig.js";

/** What the guest below can be told to do, by number. */
const acts = ["get", "put", "delete", "list", "fail", "trap", "spin"] as const;

/** One step: a call with this request, as a value or as raw bytes; or an end. */
export type Step = readonly [act: (typeof acts)[number], request?: AbiValue | Uint8Array];

/**
 * A real guest that makes the calls its input lists, request bytes as they are, and answers with the last answer. Input:
 * for each step a byte, the length of the request (4 bytes, little-endian), the request.
 */
export function kvGuest(name = "kv", limits: ManifestDraft["limits"] = {}): Plugin {
  const call = (act: number, what: string): string =>
    `(if (i32.eq (i32.load8_u (local.get $i)) (i32.const ${act})) (then ${what}))`;
  const asks = acts
    .slice(0, 4)
    .map((act, at) => call(at, `(call $free (local.get $b)) (local.set $b (call $kv_${act} (local.get $a)))`));
  const { manifest, wasm } = hostilePlugin(name, {
    capabilities: ["kv_get", "kv_put", "kv_delete", "kv_list"],
    effects: "write",
    memory: "64 64",
    limits,
    body: `
      (call $take (i32.const 0))
      (block $done (loop $next
        (br_if $done (i64.ge_u (i64.extend_i32_u (local.get $i)) (call $input_length)))
        (local.set $a (call $text
          (i32.add (local.get $i) (i32.const 5)) (i32.load offset=1 align=1 (local.get $i))))
        ${asks.join("\n")}
        ${call(4, "(return (i32.const 1))")}
        ${call(5, "(unreachable)")}
        ${call(6, "(loop $forever (br $forever))")}
        (local.set $i (i32.add (i32.add (local.get $i) (i32.const 5)) (i32.load offset=1 align=1 (local.get $i))))
        (call $free (local.get $a))
        (br $next)))
      (if (i64.ne (local.get $b) (i64.const 0)) (then (call $all (local.get $b))))`,
  });
  const functions = manifest.functions.map((fn) => ({ ...fn, input: "bytes" as const }));
  return { manifest: { ...manifest, functions }, wasm };
}

/** Parameters of an intent for `kvGuest`. */
export function kvParameters(steps: readonly Step[]): { path: string; input: string } {
  const parts = steps.map(([act, request = new Uint8Array()]) => {
    const bytes = request instanceof Uint8Array ? request : encodeAbi(request);
    const head = new Uint8Array(5);
    head[0] = acts.indexOf(act);
    new DataView(head.buffer).setUint32(1, bytes.length, true);
    return concatBytes(head, bytes);
  });
  return { path: "data/x", input: encodeBase64(concatBytes(...parts)) };
}

/** `["put", key, text]` as a step. */
export function putStep(key: string, text: string, expect?: number): Step {
  return ["put", { key, value: encodeUtf8(text), ...(expect === undefined ? {} : { expect }) }];
}

/** The last answer of `kvGuest`, with bytes as text; an error as its code. */
export function answerIn(output: unknown): unknown {
  const { ok, error } = decodeAbi(output as Uint8Array, { maxBytes: 1 << 26 }) as {
    ok?: { [name: string]: AbiValue };
    error?: { code: string };
  };
  if (ok === undefined) return error?.code;
  return Object.fromEntries(
    Object.entries(ok).map(([name, value]) => [name, value instanceof Uint8Array ? decodeUtf8(value) : value]),
  );
}
