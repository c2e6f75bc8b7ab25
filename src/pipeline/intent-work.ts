import { type Digest, digestOf } from "../canonical/digest.js";
import { deepFreeze } from "../canonical/freeze.js";
import { parseCanonical } from "../canonical/read.js";
import type { MaterialRole } from "../contracts/bundle.js";
import { parseContract } from "../contracts/common.js";
import type { EventPayload, EventType } from "../contracts/event.js";
import { type ActionIntent, intentSchema, type Requester } from "../contracts/intent.js";
import { advance, endStates } from "../contracts/lifecycle.js";
import type { Material } from "../contracts/material.js";
import { saltedJson } from "../contracts/material.js";
import { type EnvelopeKey, publicKeyOfEnvelopeKey } from "../contracts/passkey.js";
import type { Role } from "../contracts/trust.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";
import { type IntentRecord, readState, writeState } from "./documents.js";
import { appendEvent, type RecordedEvent } from "./recorder.js";
import { blobKey, intentKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/** Materials that many intents share and that the pipeline stores once, when it first meets them. */
const sharedRoles: ReadonlySet<MaterialRole> = new Set([
  "plugin",
  "plugin_admission",
  "manifest",
  "manifest_envelope",
  "policy",
  "policy_envelope",
]);

/** Shared materials known to be durable, by the ports of the pipeline that stored them. These are never dropped. */
const durableShared = new WeakMap<PipelinePorts, Set<Digest>>();

function durableOf(ports: PipelinePorts): Set<Digest> {
  const known = durableShared.get(ports) ?? new Set();
  durableShared.set(ports, known);
  return known;
}

/** Recording on behalf of the runtime itself. */
export const runtimeActor = { id: "runtime", type: "runtime" } as const;

/**
 * One intent while it is worked on: its state document, the frozen intent, and the materials of this process's own
 * making. All recording goes through `record`, which knows the lifecycle: an event that has no place there is a broken
 * invariant and aborts the transaction.
 */
export class IntentWork {
  readonly record: IntentRecord;
  readonly intent: ActionIntent;
  readonly ports: PipelinePorts;
  /** Materials known in memory, by digest; the rest is in the store. */
  readonly materials = new Map<Digest, Uint8Array>();
  /** Events recorded by this process, in order. */
  readonly trace: RecordedEvent[] = [];

  private constructor(record: IntentRecord, intent: ActionIntent, ports: PipelinePorts) {
    this.record = record;
    this.intent = intent;
    this.ports = ports;
  }

  /** Starts the life of a new intent. Nothing is written until an event is appended and `save` is called. */
  static begin(
    intent: ActionIntent,
    material: Material,
    requester: Requester,
    requestDigest: Digest,
    ports: PipelinePorts,
  ): IntentWork {
    const record: IntentRecord = {
      intentId: intent.intentId,
      correlationId: intent.correlationId,
      tenantId: intent.tenantId,
      requester,
      requestDigest,
      state: "received",
      events: [],
      materials: [],
      verdicts: { policy: null, safety: null, final: "deny" },
      effectKey: null,
      reserved: null,
      approval: null,
      effects: [],
      execution: null,
      reason: null,
      keys: [],
    };
    const work = new IntentWork(record, intent, ports);
    work.#remember("intent", material);
    return work;
  }

  /** Takes up a stored intent. EXO_INTENT_UNKNOWN; EXO_STORE_DAMAGED when its document is gone or changed. */
  static load(reader: StoreReader, intentId: string, ports: PipelinePorts): IntentWork {
    const record = readState<IntentRecord>(reader, intentKeys.one(intentId));
    if (record === undefined) throw new ExoArmurError("EXO_INTENT_UNKNOWN", `no intent has the id ${intentId}`);
    const digest = record.materials.find((material) => material.role === "intent")?.digest;
    const bytes = digest === undefined ? undefined : reader.get(blobKey(digest));
    if (bytes === undefined || digestOf(bytes) !== digest) {
      throw new ExoArmurError("EXO_STORE_DAMAGED", `the document of intent ${intentId} is missing or has other bytes`);
    }
    const intent = deepFreeze(parseContract(intentSchema, parseCanonical(bytes), "stored intent"));
    return new IntentWork(record, intent, ports);
  }

  /** Digest of the intent's document. */
  get intentDigest(): Digest {
    const found = this.record.materials.find((material) => material.role === "intent");
    if (found === undefined) throw new ExoArmurError("EXO_INTERNAL", "an intent without its material");
    return found.digest;
  }

  #remember(role: MaterialRole, material: Material): void {
    this.materials.set(material.digest, material.bytes);
    const { materials } = this.record;
    if (!materials.some((known) => known.role === role && known.digest === material.digest)) {
      materials.push({ role, digest: material.digest });
    }
  }

  /** Names a material under a role and stores its bytes. */
  attach(tx: LedgerTx, role: MaterialRole, material: Material): Digest {
    this.#remember(role, material);
    if (sharedRoles.has(role)) this.#storeShared(tx, material);
    else tx.put(blobKey(material.digest), material.bytes);
    return material.digest;
  }

  /** Stores bytes that are not there yet; they may be large, so what is known to be durable is not read again. */
  #storeShared(tx: LedgerTx, { digest, bytes }: Material): void {
    const durable = durableOf(this.ports);
    if (durable.has(digest)) return;
    const key = blobKey(digest);
    if (tx.get(key) === undefined) tx.put(key, bytes);
    tx.onSealed(() => durable.add(digest));
  }

  /** Attaches a JSON document as a salted material. */
  attachDocument(tx: LedgerTx, role: MaterialRole, document: unknown): Digest {
    return this.attach(tx, role, saltedJson(this.ports.saltKey, role, this.record.intentId, document));
  }

  /** Names a public key whose signature the bundle carries. */
  nameKey(role: Role, key: EnvelopeKey): void {
    const publicKey = publicKeyOfEnvelopeKey(key);
    const keyId = keyIdOf(publicKey);
    const { keys } = this.record;
    if (keys.some((one) => one.role === role && one.keyId === keyId)) return;
    const passkey = key instanceof Uint8Array ? {} : { passkey: { rpId: key.rpId, origins: [...key.origins] } };
    keys.push({ role, keyId, publicKey: encodeBase64(publicKey), ...passkey });
  }

  /** Appends an event of this intent and moves its state along the lifecycle. */
  append<T extends EventType>(
    tx: LedgerTx,
    eventType: T,
    payload: EventPayload<T>,
    now: number,
    actor: { id: string; type: string } = runtimeActor,
  ): RecordedEvent {
    const from = this.record.events.length === 0 ? "none" : this.record.state;
    const next = advance(from, eventType);
    if (next === undefined) {
      throw new ExoArmurError(
        "EXO_INTERNAL",
        `${eventType} cannot follow the state ${from} of intent ${this.record.intentId}`,
      );
    }
    const { ids, saltKey, deployment } = this.ports;
    const recorder = { ids, saltKey, cellId: deployment.cellId };
    const recorded = appendEvent(tx, recorder, this.record, eventType, payload, actor, now);
    this.record.state = next;
    this.record.events.push({
      eventType,
      digest: recorded.event.digest,
      payloadDigest: recorded.payload.digest,
      sequence: recorded.header.sequence,
    });
    this.materials.set(recorded.event.digest, recorded.event.bytes);
    this.materials.set(recorded.payload.digest, recorded.payload.bytes);
    this.trace.push(recorded);
    return recorded;
  }

  /**
   * Remembers how far recording has come; the returned function goes back there. For a transaction whose failure the work
   * outlives: what it appended is not in the log, and must not be named in the bundle.
   */
  mark(): () => void {
    const { record, trace } = this;
    const { state } = record;
    const lengths = [record.events.length, record.effects.length, trace.length] as const;
    return () => {
      record.state = state;
      [record.events.length, record.effects.length, trace.length] = lengths;
    };
  }

  /** Writes the state document, and whether a crash now would leave the intent open. */
  save(tx: LedgerTx): void {
    const { intentId, state } = this.record;
    const [intent] = this.record.materials;
    if (intent !== undefined && tx.get(intentKeys.one(intentId)) === undefined) {
      const bytes = this.materials.get(intent.digest);
      if (bytes !== undefined) tx.put(blobKey(intent.digest), bytes);
    }
    writeState(tx, intentKeys.one(intentId), this.record);
    if (endStates.has(state)) tx.delete(intentKeys.open(intentId));
    else writeState(tx, intentKeys.open(intentId), state);
  }
}
