import { digestOf } from "../canonical/digest.js";
import type { HostCall } from "../contracts/execution.js";
import { decodeBase64Url } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { GuestAnswer, GuestCall } from "../ports.js";
import { transcriptBytes } from "./bounds.js";
import { type ByteDifference, firstDifference } from "./byte-difference.js";

/**
 * The first call of a replay that is not the recorded one. `seq` is the entry's; `expected` and `actual` are capability
 * names, request digests or fuel in decimal; `offset` and `bytes` tell where two requests part. `extra`: the guest called
 * on after the last entry.
 */
export type Divergence = Partial<ByteDifference> & {
  readonly seq: number;
  readonly kind: "capability" | "request" | "fuel" | "extra";
  readonly expected: string;
  readonly actual: string;
};

/** Answers a replay's calls from a transcript. */
export interface TranscriptPlayer {
  /** The recorded answer, or a stop with EXO_REPLAY_DIVERGED at the first call that differs and ever after. */
  call(call: GuestCall): GuestAnswer;
  /** Entries served so far; fewer than the transcript has after a run means the guest called less than recorded. */
  position(): number;
  /** The first difference, or null. */
  divergence(): Divergence | null;
}

type Step = { readonly entry: HostCall; readonly request: Uint8Array; readonly response: Uint8Array };

/**
 * A player over recorded entries; no capability is constructed, nothing is performed. Synchronous, so that a replay needs
 * no crossing between threads. Throws EXO_SCHEMA when entries are not numbered from 0 without gaps or hold bytes that are
 * not canonical base64url. That the entries are the recorded ones is for their materials' digests to show. `anyFuel`: for
 * another module than the recorded one, which may have used other fuel by the time it calls.
 */
export function createPlayer(entries: readonly HostCall[], { anyFuel = false } = {}): TranscriptPlayer {
  const steps = entries.map(readStep);
  let position = 0;
  let served = 0;
  let divergence: Divergence | null = null;
  let ended: GuestAnswer | null = null;

  function call(actual: GuestCall): GuestAnswer {
    if (ended !== null) return ended;
    const step = steps[position];
    if (step === undefined && served + actual.request.length > transcriptBytes) {
      // The recording ended here by the same rule, so this is no difference.
      const message = `the run's host calls carry more than ${transcriptBytes} bytes`;
      ended = { kind: "stop", status: "host_call_limit", code: "EXO_HOST_CALL_LIMIT", message };
      return ended;
    }
    divergence = compare(step, actual, position, anyFuel);
    if (divergence !== null || step === undefined) {
      const message = divergence === null ? "" : describeDivergence(divergence);
      ended = { kind: "stop", status: "host_fault", code: "EXO_REPLAY_DIVERGED", message };
      return ended;
    }
    position += 1;
    served += step.request.length + step.response.length;
    // A copy: the answer may be handed to a guest as memory of its own.
    return { kind: "answer", response: step.response.slice() };
  }

  return { call, position: () => position, divergence: () => divergence };
}

/** One line for people: which entry, what was expected, what came. */
export function describeDivergence(divergence: Divergence): string {
  const { seq, kind, expected, actual, offset } = divergence;
  const where = offset === undefined ? "" : ` at byte ${offset}`;
  return `host call ${seq}: ${kind} differs${where}: expected ${expected}, came ${actual}`;
}

function readStep(entry: HostCall, index: number): Step {
  const request = decodeBase64Url(entry.request);
  const response = decodeBase64Url(entry.response);
  if (entry.seq !== index || request === undefined || response === undefined) {
    throw new ExoArmurError("EXO_SCHEMA", `transcript entry ${index}: expected seq ${index} and canonical base64url`);
  }
  return { entry, request, response };
}

function compare(step: Step | undefined, actual: GuestCall, seq: number, anyFuel: boolean): Divergence | null {
  if (step === undefined) return { seq, kind: "extra", expected: "no further call", actual: actual.capability };
  const { entry, request } = step;
  if (entry.capability !== actual.capability) {
    return { seq, kind: "capability", expected: entry.capability, actual: actual.capability };
  }
  const parted = firstDifference(request, actual.request);
  if (parted !== null) {
    return { seq, kind: "request", expected: entry.requestDigest, actual: digestOf(actual.request), ...parted };
  }
  if (!anyFuel && entry.fuel !== actual.fuel) {
    return { seq, kind: "fuel", expected: String(entry.fuel), actual: String(actual.fuel) };
  }
  return null;
}
