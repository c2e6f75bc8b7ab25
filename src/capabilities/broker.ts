import { type Digest, digestOf, digestOfJson } from "../canonical/digest.js";
import type { Effect } from "../contracts/event.js";
import type { HostCall } from "../contracts/execution.js";
import { type CapabilityName, isCapabilityName, isOutsideWrite } from "../contracts/imports.js";
import type { Grants } from "../contracts/manifest.js";
import type { ErrorCode } from "../errors.js";
import type { EffectCall, ExecutionStatus, GuestAnswer, GuestCall, Performer, PerformOutcome } from "../ports.js";
import { type Ended, endOf } from "./abortable.js";
import {
  answerError,
  answerOk,
  type CallEnd,
  type DeniedCall,
  entryOf,
  findDenied,
  type WriteState,
  writeStateOf,
} from "./answers.js";
import { transcriptBytes } from "./bounds.js";
import { checkGrant } from "./grant-check.js";
import { readRequest } from "./schemas.js";

/** What a broker is made of. */
export type BrokerOptions = {
  /** Effective grants of the run; whatever they do not name is denied, `log` apart. */
  readonly grants: Grants;
  /** One performer per capability this host can carry out. */
  readonly performers: Readonly<Partial<Record<CapabilityName, Performer>>>;
  /** Makes a write-effect durable before it is performed; when it rejects nothing is performed and the run ends. */
  readonly journal: (effect: Effect) => Promise<void>;
  /** Effect key of the run if it has one, else the intent digest: an effect's id is digest(JCS([effectBase, seq])). */
  readonly effectBase: Digest;
  /** Name of the executor, for the config.json line of a denial. */
  readonly executor?: string;
};

/** Grants, performs and records the capability calls of one run (spec/capabilities.md). */
export interface Broker {
  /** Answers a call. Calls come one at a time with `seq` 0, 1, 2 ...; never rejects. */
  call(call: GuestCall, signal: AbortSignal): Promise<GuestAnswer>;
  /** The calls so far, in order. */
  transcript(): readonly HostCall[];
  /** Whether a write-effect can have happened. One that is under way counts as unknown. */
  writes(): WriteState;
  /** Write-effects handed to the journal and not refused by it, in order. */
  effects(): readonly Effect[];
  /** The first call that was outside the grant, or null. */
  denied(): DeniedCall | null;
  /** Resolves when no call is under way. A call ends at the latest when its signal aborts. */
  settle(): Promise<void>;
}

/** A broker for one run. */
export function createBroker(options: BrokerOptions): Broker {
  return new GrantBroker(options);
}

/** Hands a granted call to its performer. */
type Perform = (effect?: EffectCall) => Promise<PerformOutcome> | PerformOutcome;

/** Code of a read that was answered with nothing definite, by the family of its capability. */
const readFaults: Readonly<Record<string, ErrorCode>> = {
  fs: "EXO_FS_IO",
  kv: "EXO_KV_IO",
  http: "EXO_HTTP_NO_ANSWER",
};

/** Codes of a performer that mean the call was outside its grant. */
const outsideCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "EXO_CAPABILITY_DENIED",
  "EXO_FS_PATH",
  "EXO_SECRET_DENIED",
]);

class GrantBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #entries: HostCall[] = [];
  readonly #effects: Effect[] = [];
  #bytes = 0;
  #writing = false;
  #ended: GuestAnswer | null = null;
  #current: Promise<unknown> | null = null;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  transcript(): readonly HostCall[] {
    return this.#entries.slice();
  }

  writes(): WriteState {
    return this.#writing ? "unknown" : writeStateOf(this.#entries);
  }

  effects(): readonly Effect[] {
    return this.#effects.slice();
  }

  denied(): DeniedCall | null {
    return findDenied(this.#entries);
  }

  async settle(): Promise<void> {
    await this.#current?.catch(() => undefined);
  }

  async call(call: GuestCall, signal: AbortSignal): Promise<GuestAnswer> {
    if (this.#ended !== null) return this.#ended;
    if (this.#current !== null || call.seq !== this.#entries.length || !isCapabilityName(call.capability)) {
      return this.#stop("host_fault", "EXO_HOST_FAULT", "the sandbox made a call out of turn");
    }
    const carried = this.#carry(call, call.capability, signal);
    this.#current = carried;
    try {
      return await carried;
    } catch {
      // A broken invariant of the host. A write that had begun stays unknown: its flag is still set.
      return this.#stop("host_fault", "EXO_HOST_FAULT", "the host could not carry the call");
    } finally {
      this.#current = null;
    }
  }

  async #carry(call: GuestCall, capability: CapabilityName, signal: AbortSignal): Promise<GuestAnswer> {
    // A copy: the bytes may be memory that a worker still writes to, and what is judged must be what is recorded.
    const request = call.request.slice();
    if (this.#bytes + request.length > transcriptBytes) {
      const message = `the run's host calls carry more than ${transcriptBytes} bytes`;
      return this.#stop("host_call_limit", "EXO_HOST_CALL_LIMIT", message);
    }
    const record = (end: CallEnd): GuestAnswer => this.#record(call, request, end);
    const parsed = readRequest(capability, request);
    if (!parsed.ok) return record(answerError("error", parsed.error.code, parsed.error.message));
    const { grants, executor, performers } = this.#options;
    const granted = checkGrant(grants, capability, parsed.value, executor ?? "<executor>");
    if (!granted.ok) return record(answerError("denied", granted.error.code, granted.error.message));
    const performer = performers[capability];
    if (performer === undefined) {
      const message = `this host cannot perform ${capability}`;
      record(answerError("error", "EXO_CAPABILITY_UNAVAILABLE", message));
      return this.#stop("host_fault", "EXO_CAPABILITY_UNAVAILABLE", message);
    }
    const perform: Perform = (effect) => performer.perform(parsed.value, granted.value, signal, effect);
    return isOutsideWrite(capability, parsed.value["method"])
      ? this.#write(call, request, perform, signal)
      : this.#read(capability, perform, record, signal);
  }

  /** A call that changes nothing: whatever goes wrong is an error, certainly not performed. */
  async #read(
    capability: CapabilityName,
    perform: Perform,
    record: (end: CallEnd) => GuestAnswer,
    signal: AbortSignal,
  ): Promise<GuestAnswer> {
    const ended = await endOf(perform, signal);
    if (ended.state === "aborted") {
      record(answerError("error", "EXO_TIMED_OUT", "the run ended before the answer came"));
      return this.#timedOut();
    }
    const code = readFaults[capability.slice(0, capability.indexOf("_"))] ?? "EXO_HOST_FAULT";
    return record(
      endFrom(ended, "error", code) ?? answerError("error", code, `the host could not perform ${capability}`),
    );
  }

  /** A write-effect: journaled, then performed, and `unknown` unless a definite answer came in time. */
  async #write(call: GuestCall, request: Uint8Array, perform: Perform, signal: AbortSignal): Promise<GuestAnswer> {
    if (signal.aborted) return this.#notJournaled(call, request, "aborted");
    const effect: Effect = {
      seq: call.seq,
      capability: call.capability,
      requestDigest: digestOf(request),
      effectId: digestOfJson([this.#options.effectBase, call.seq]),
    };
    this.#effects.push(effect);
    const journaled = await endOf(() => this.#options.journal(effect), signal);
    if (journaled.state !== "value") return this.#notJournaled(call, request, journaled.state);
    this.#writing = true;
    const ended = await endOf(() => perform(effect), signal);
    const code = "EXO_EFFECT_UNKNOWN";
    const end = endFrom(ended, "unknown", code) ?? answerError("unknown", code, "the effect may have happened");
    const answer = this.#record(call, request, end);
    this.#writing = false;
    return ended.state === "aborted" ? this.#timedOut() : answer;
  }

  /** Nothing has been performed and nothing will be. */
  #notJournaled(call: GuestCall, request: Uint8Array, state: "thrown" | "aborted"): GuestAnswer {
    if (state === "aborted") {
      this.#record(call, request, answerError("error", "EXO_TIMED_OUT", "the run ended before the call was performed"));
      return this.#timedOut();
    }
    const message = `${call.capability} was not performed: its journal record could not be made durable`;
    this.#effects.pop();
    this.#record(call, request, answerError("error", "EXO_HOST_FAULT", message));
    return this.#stop("host_fault", "EXO_HOST_FAULT", message);
  }

  #record(call: GuestCall, request: Uint8Array, end: CallEnd): GuestAnswer {
    this.#entries.push(entryOf(call, request, end));
    this.#bytes += request.length + end.response.length;
    return { kind: "answer", response: end.response };
  }

  #timedOut(): GuestAnswer {
    return this.#stop("timed_out", "EXO_TIMED_OUT", "the run's time was up during a host call");
  }

  #stop(status: ExecutionStatus, code: ErrorCode, message: string): GuestAnswer {
    this.#ended ??= { kind: "stop", status, code, message };
    return this.#ended;
  }
}

/**
 * The recorded end of a performed call; undefined when the performer gave no well-formed answer. One that says it is not
 * definite is recorded as `indefinite` under `code`, with the performer's words.
 */
function endFrom(ended: Ended<PerformOutcome>, indefinite: "error" | "unknown", code: ErrorCode): CallEnd | undefined {
  if (ended.state !== "value") return undefined;
  const result = ended.value;
  try {
    if (result.outcome === "ok") return answerOk(result.value, result.assurance);
    if (result.outcome === "unknown") return answerError(indefinite, code, result.message);
    if (result.outcome !== "error") return undefined;
    return answerError(outsideCodes.has(result.code) ? "denied" : "error", result.code, result.message);
  } catch {
    return undefined;
  }
}
