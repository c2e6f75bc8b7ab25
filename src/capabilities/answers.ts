import { clipText } from "../canonical/clip-text.js";
import { digestOf } from "../canonical/digest.js";
import { encodeAbi, isAbiMap } from "../canonical/msgpack.js";
import type { HostCall } from "../contracts/execution.js";
import { isRecordedWrite, readRecorded } from "../contracts/recorded-call.js";
import { encodeBase64Url } from "../crypto/encoding.js";
import type { AbiValue, Assurance, GuestCall } from "../ports.js";
import { greatestMaxBytes } from "./bounds.js";

/** How a call ended and the bytes the guest reads. */
export type CallEnd = {
  readonly outcome: HostCall["outcome"];
  readonly response: Uint8Array;
  readonly assurance: Assurance;
};

/** A call outside its grant, for the record of the run. */
export type DeniedCall = {
  readonly seq: number;
  readonly capability: string;
  readonly code: string;
  readonly message: string;
};

/** Can a write-effect of the run have happened? `committed`: at least one has. `unknown`: one may have. */
export type WriteState = "none" | "committed" | "unknown";

/** Response bytes may be larger than what they carry by this much: names and sizes of a listing, keys, headers. */
const responseBytes = greatestMaxBytes + 8_388_608;

/** Answer `{ok: value}`. Throws EXO_MSGPACK when a performer's value has no form in the profile or is too large. */
export function answerOk(value: AbiValue, assurance: Assurance = "local"): CallEnd {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new TypeError("a performer answers with a map");
  }
  const response = encodeAbi({ ok: value });
  if (response.length > responseBytes) throw new RangeError("a performer's answer is too large");
  return { outcome: "ok", response, assurance };
}

/** Answer `{error: {code, message}}` under an outcome that is not ok. */
export function answerError(outcome: "denied" | "error" | "unknown", code: string, message: string): CallEnd {
  const response = encodeAbi({ error: { code, message: clipText(message, 1000) } });
  return { outcome, response, assurance: "local" };
}

/** The transcript entry of a call (spec/contracts.md, HostCall). `request` are the bytes that were judged. */
export function entryOf(call: GuestCall, request: Uint8Array, end: CallEnd): HostCall {
  return Object.freeze({
    schema: "exoarmur.host-call/v1",
    seq: call.seq,
    capability: call.capability,
    requestDigest: digestOf(request),
    request: encodeBase64Url(request),
    outcome: end.outcome,
    responseDigest: digestOf(end.response),
    response: encodeBase64Url(end.response),
    assurance: end.assurance,
    fuel: call.fuel,
  });
}

/** The first call of a transcript that was outside its grant, or null. */
export function findDenied(entries: readonly HostCall[]): DeniedCall | null {
  const entry = entries.find(({ outcome }) => outcome === "denied");
  if (entry === undefined) return null;
  const { code, message } = errorOf(entry);
  return { seq: entry.seq, capability: entry.capability, code, message };
}

/**
 * What a transcript says of writes outside the runtime (spec/capabilities.md): `unknown` as soon as one has no definite
 * answer, else `committed` when one was answered ok. A capability this build does not know counts as a write.
 */
export function writeStateOf(entries: readonly HostCall[]): WriteState {
  const writes = entries.filter(isRecordedWrite);
  if (writes.some(({ outcome }) => outcome === "unknown")) return "unknown";
  return writes.some(({ outcome }) => outcome === "ok") ? "committed" : "none";
}

/** Code and message of a recorded denial. A bundle may come from anybody, so nothing is taken for granted. */
function errorOf(entry: HostCall): { readonly code: string; readonly message: string } {
  const error = readRecorded(entry.response)?.["error"];
  const { code, message } = isAbiMap(error) ? error : {};
  return {
    code: typeof code === "string" ? code : "EXO_CAPABILITY_DENIED",
    message: typeof message === "string" ? message : "",
  };
}
