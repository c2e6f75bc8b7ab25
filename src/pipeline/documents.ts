import type { ApprovalState } from "../approval/state.js";
import type { Digest } from "../canonical/digest.js";
import type { MaterialRole, Predicate } from "../contracts/bundle.js";
import type { Envelope } from "../contracts/dsse.js";
import type { Effect, EventType, Reason } from "../contracts/event.js";
import type { ExecutionRecord } from "../contracts/execution.js";
import type { Requester } from "../contracts/intent.js";
import type { IntentState } from "../contracts/lifecycle.js";
import { encodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";

/** An event as an intent's state remembers it. */
export type EventRef = {
  readonly eventType: EventType;
  readonly digest: Digest;
  readonly payloadDigest: Digest;
  readonly sequence: number;
};

/**
 * State document of an intent: everything that is needed to go on with it after a restart. Not hashed and not evidence;
 * the events are.
 */
export type IntentRecord = {
  readonly intentId: string;
  readonly correlationId: string;
  readonly tenantId: string;
  readonly requester: Requester;
  readonly requestDigest: Digest;
  state: IntentState;
  events: EventRef[];
  materials: { role: MaterialRole; digest: Digest }[];
  /** Materials the store no longer holds, as `materials_dropped` events say; absent when all are held. */
  dropped?: Digest[];
  verdicts: Predicate["verdicts"];
  /** Effect key held by this intent. */
  effectKey: Digest | null;
  /** What the budgets reserved for the run. */
  reserved: { at: number; fuel: number } | null;
  /** Open or last approval request. */
  approval: { requestId: string; digest: Digest } | null;
  effects: Effect[];
  execution: ExecutionRecord | null;
  reason: Reason | null;
  /** Keys whose signatures the bundle will carry. */
  keys: Predicate["keys"];
};

/** State document of an approval request. */
export type ApprovalRecord = {
  readonly requestId: string;
  readonly intentId: string;
  readonly digest: Digest;
  state: ApprovalState;
};

/** Kill switches as they stand. `epoch` rises with every change. */
export type KillSwitchState = {
  global: boolean;
  tenants: { [tenantId: string]: boolean };
  epoch: number;
  /** When the last order of a scope was signed: the empty string for the global switch, else the tenant. */
  signedAt?: { [scope: string]: string };
};

/** The activated policy. */
export type ActivePolicy = {
  digest: Digest;
  policyId: string;
  version: number;
  envelopeDigest: Digest;
  /** The document of the home's file that it took the place of; absent where it is the file's own. */
  file?: Digest;
};

/** A policy that waits to be activated or withdrawn. `envelope` is over its document, signed by policy authors. */
export type Proposal = {
  readonly digest: Digest;
  readonly policyId: string;
  readonly version: number;
  readonly envelopeDigest: Digest;
  readonly authors: readonly { readonly id: string; readonly keyId: string }[];
  readonly proposedAt: string;
  readonly envelope: Envelope;
};

/** A stored bundle: what is signed, and where its leaf is. */
export type StoredBundle = { envelope: Envelope; digest: Digest; index: number };

/** Holder of an effect key. */
export type EffectHolder = { intentId: string; state: "in_flight" | "committed" | "unknown" };

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads a state document, or undefined when there is none. EXO_STORE_DAMAGED when it is not JSON. */
export function readState<T>(reader: Pick<StoreReader, "get">, key: string): T | undefined {
  const bytes = reader.get(key);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(decoder.decode(bytes)) as T;
  } catch (cause) {
    throw new ExoArmurError("EXO_STORE_DAMAGED", `the state document ${key} is not readable`, {}, { cause });
  }
}

/** Writes a state document. */
export function writeState(tx: LedgerTx, key: string, value: unknown): void {
  tx.put(key, encodeUtf8(JSON.stringify(value)));
}
