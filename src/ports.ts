/**
 * What the core asks of the world, as types only. The composition roots (runtime, cli, web) construct the
 * implementations; everything below them is handed one. Nothing here carries behaviour.
 */

/** Wall clock. */
export interface Clock {
  /** Milliseconds since the Unix epoch, an integer. */
  now(): number;
}

/** Source of identifiers. */
export interface IdSource {
  /** A fresh ULID (26 characters of Crockford base32), greater than every one this source gave before. */
  next(): string;
}

/** Source of unpredictable bytes. */
export interface Entropy {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
}

/**
 * Finds the addresses of a host name, IPv4 and IPv6 as texts, in the order they are to be tried; rejects when there are
 * none. Whoever asks judges every one of them.
 */
export type AddressResolver = (host: string) => Promise<readonly string[]>;

/** Diagnostics for people. Nothing logged here is evidence, and no secret may be passed in. */
export interface Logger {
  log(level: "debug" | "info" | "warn" | "error", message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Holds one private Ed25519 key, possibly in another process or device. */
export interface Signer {
  /** Key id: first 16 bytes of SHA-256 over (algorithm, raw key), lower-case hex (spec/keys.md). */
  readonly keyId: string;
  /** Raw 32-byte public key. */
  readonly publicKey: Uint8Array;
  /** The 64-byte Ed25519 signature over exactly `message`. */
  sign(message: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

/** One change of a commit; `value: null` deletes the key. */
export type StoreChange = { readonly key: string; readonly value: Uint8Array | null };

/** Bounds of a range read: `gte` inclusive, `lt` exclusive, in the order of the keys' bytes. */
export type StoreRange = {
  readonly gte: string;
  readonly lt: string;
  readonly limit?: number;
  readonly reverse?: boolean;
};

/** Reads of the last committed state. Keys are printable ASCII of at most 400 characters, ordered by byte. */
export interface StoreReader {
  get(key: string): Uint8Array | undefined;
  range(range: StoreRange): Iterable<readonly [key: string, value: Uint8Array]>;
}

/** A durable ordered map with atomic commits and a fencing epoch. One contract suite runs over every driver. */
export interface Store extends StoreReader {
  /** Raises the writer epoch durably and returns it. Whoever held an earlier epoch can commit no more. */
  acquire(): Promise<number>;
  /**
   * Applies all changes or none and resolves when they are durable. Throws EXO_FENCED when `epoch` is no longer the
   * store's, EXO_STORE when the write failed (after which every further commit fails until the store is reopened).
   */
  commit(changes: readonly StoreChange[], epoch: number): Promise<void>;
  close(): Promise<void>;
}

/** How a run ended (spec/contracts.md, ExecutionRecord). */
export type ExecutionStatus =
  | "completed"
  | "guest_error"
  | "trapped"
  | "out_of_fuel"
  | "out_of_memory"
  | "stack_overflow"
  | "output_limit"
  | "host_call_limit"
  | "capability_denied"
  | "timed_out"
  | "host_fault"
  | "in_doubt";

/** Bounds of one run. All are integers; fuel is at most 2^53-1. */
export type RunLimits = {
  readonly fuel: number;
  /** Stack budget in bytes; the meter counts 8-byte words. */
  readonly stackBytes: number;
  readonly outputBytes: number;
  /** Sum of the live kernel blocks, input included. */
  readonly kernelBytes: number;
  readonly hostCalls: number;
  /** Wall-clock guard of the infrastructure, never a recorded bound. */
  readonly timeoutMs: number;
};

/** A guest's call of a capability, as the sandbox sees it. `fuel` is what was used when the call was made. */
export type GuestCall = {
  readonly seq: number;
  readonly capability: string;
  readonly request: Uint8Array;
  readonly fuel: number;
};

/** What the guest gets back, or an order to end the run at once with this status. */
export type GuestAnswer =
  | { readonly kind: "answer"; readonly response: Uint8Array }
  | { readonly kind: "stop"; readonly status: ExecutionStatus; readonly code: string; readonly message: string };

/** One run of a sealed module in a fresh instance. */
export type SandboxJob = {
  /** Whose job it is: waiting jobs of different tenants take turns. Default: one nameless tenant for all. */
  readonly tenant?: string;
  /** Sealed bytes and their digest text; hosts may cache the compiled module by the digest. */
  readonly module: { readonly digest: string; readonly bytes: Uint8Array };
  /** Exported function to call, `() -> i32` (0 = success) or `() -> ()`. */
  readonly function: string;
  readonly input: Uint8Array;
  readonly limits: RunLimits;
  /** Answers capability calls, one at a time, in order. `signal` aborts when the wall-clock guard fires. */
  call(call: GuestCall, signal: AbortSignal): Promise<GuestAnswer> | GuestAnswer;
};

/** How a job ended. `output` is present exactly when status is `completed`. */
export type SandboxOutcome = {
  readonly status: ExecutionStatus;
  readonly output?: Uint8Array;
  /** Stable code and, for a guest's own error, its message (UTF-8, at most 1,024 characters). */
  readonly error?: { readonly code: string; readonly message?: string };
  readonly fuelUsed: number;
  readonly memoryPeakPages: number;
  readonly hostCalls: number;
};

/** Runs sealed modules in isolation. The only way to start a guest. */
export interface SandboxHost {
  /** Never rejects for anything a guest can do. Throws EXO_OVERLOADED when the queue is full, EXO_CLOSED after close. */
  run(job: SandboxJob): Promise<SandboxOutcome>;
  /** Jobs under way and waiting, and how many of each fit. */
  load(): { readonly running: number; readonly queued: number; readonly size: number; readonly queueBound: number };
  /** Name and version of the engine, for reports only. */
  readonly engine: string;
  close(): Promise<void>;
}

/** A plain value of the msgpack profile (spec/abi.md). */
export type AbiValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly AbiValue[]
  | { readonly [key: string]: AbiValue };

/**
 * Who vouches for a host's answer (spec/capabilities.md, Assurance). `local`: the runtime itself. `unauthenticated`:
 * nobody. `tls`: the runtime saw a certificate with this public key. `signed`: the counterparty's own signature, kept
 * beside the answer and verified offline under its pinned key.
 */
export type Assurance =
  | "local"
  | "unauthenticated"
  | { readonly tls: { readonly spkiDigest: `sha256:${string}` } }
  | { readonly signed: SignedAnswer };

/** A counterparty's signature over an answer, by kind. All texts; `signature` is base64. */
export type SignedAnswer =
  | {
      readonly scheme: "http-message-signature";
      readonly keyId: string;
      /** The signature base of RFC 9421, exactly as it was signed. */
      readonly base: string;
      readonly signature: string;
    }
  | {
      readonly scheme: "dsse";
      readonly keyId: string;
      /** The answer's body is the DSSE envelope itself. */
      readonly payloadType: string;
    };

/** Keeps the values of secrets. */
export interface Vault {
  /** A copy of a secret's value, which the caller may wipe; undefined when there is none. Rejects when it cannot tell. */
  get(name: string): Promise<Uint8Array | undefined>;
}

/** What came of one host call. `error`: certainly not performed. `unknown`: may have been. */
export type PerformOutcome =
  | { readonly outcome: "ok"; readonly value: AbiValue; readonly assurance?: Assurance }
  | { readonly outcome: "error" | "unknown"; readonly code: string; readonly message: string };

/**
 * Carries out one capability after the broker granted the call. `request` has passed the capability's schema and
 * `constraints` is the narrowed grant. Performers check constraints that need the world (resolved paths) themselves.
 */
export interface Performer {
  perform(
    request: Readonly<Record<string, AbiValue>>,
    constraints: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
    /** Given for calls that change what lies outside: by this name their receiver can tell a repetition. */
    effect?: EffectCall,
  ): Promise<PerformOutcome> | PerformOutcome;
}

/** A call as its performer may name it to the world. */
export type EffectCall = {
  /** Digest of (effect key or intent digest, seq): the idempotency key of a write. */
  readonly effectId: string;
};

/**
 * Something that people outside should know of (spec/notifications.md): ids, action and times, never parameters, targets
 * or reasons. Which members there are depends on `event`. Times are texts as in every contract.
 */
export type Notice = {
  readonly schema: "exoarmur.notification/v1";
  /** Names what happened, once in a cell: a receiver tells a repetition by it. At most 200 characters. */
  readonly id: string;
  readonly event: "approval_waiting" | "approval_reminder" | "approval_decided" | "in_doubt" | "kill_switch_changed";
  /** When it happened; of a reminder, when it was due. */
  readonly at: string;
  readonly cellId: string;
  /** Null: the whole cell. */
  readonly tenantId: string | null;
  readonly intentId?: string | undefined;
  readonly action?: string | undefined;
  readonly requestId?: string | undefined;
  /** Of a decided request: where it stands now. `approved` is held until `notBefore`, `spent` has started. */
  readonly status?: "approved" | "denied" | "expired" | "superseded" | "spent" | undefined;
  readonly notBefore?: string | undefined;
  readonly expiresAt?: string | undefined;
  readonly on?: boolean | undefined;
};

/** Takes notices to people. */
export interface Notifier {
  /** Resolves when the receiver took the notice. Rejects when it did not, or the signal aborts: it is brought again. */
  deliver(notice: Notice, signal: AbortSignal): Promise<void>;
}
