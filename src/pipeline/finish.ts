import { clipText } from "../canonical/clip-text.js";
import type { Digest } from "../canonical/digest.js";
import type { EventPayload, Reason } from "../contracts/event.js";
import type { ErrorCode, Refusal } from "../errors.js";
import { ExoArmurError } from "../errors.js";
import { type LogProver, proveLeaf } from "../log/cosigned.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { formatProofFile } from "../log/proof-file.js";
import type { StoreReader } from "../ports.js";
import { type BundleHandle, bundleHandle } from "../proof/bundle.js";
import { buildStatement, type MaterialRef, signStatement } from "../proof/statement.js";
import { type IntentRecord, readState, type StoredBundle, writeState } from "./documents.js";
import type { IntentWork } from "./intent-work.js";
import { unpackEvent } from "./recorder.js";
import { blobKey, bundleKey, eventKeys } from "./store-keys.js";

/** Codes after which the same request may be sent again and can end otherwise. */
const retrySafeCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "EXO_KILL_SWITCH",
  "EXO_BUDGET",
  "EXO_SAFETY_DENIED",
  "EXO_APPROVAL_EXPIRED",
  "EXO_APPROVAL_STALE",
  "EXO_CANCELLED",
  "EXO_EFFECT_KEY_HELD",
  "EXO_OVERLOADED",
]);

/** Characters a recorded reason may have (its contract's bound): messages quote targets and lists of plugins. */
const reasonUnits = 4000;

/** A reason from a refusal. Nothing was done, so retrying is safe where it can help. */
export function reasonOf({ code, message }: Refusal, ruleIds: readonly string[] = []): Reason {
  const text = clipText(message, reasonUnits);
  return { code, message: text, ruleIds: [...ruleIds], approvalCouldHelp: false, retrySafe: retrySafeCodes.has(code) };
}

/** Events that can end an intent. */
type TerminalType = "intent_denied" | "execution_completed" | "execution_failed" | "execution_resolved";

/**
 * Ends an intent inside a transaction: terminal event, signed statement, its leaf. The returned function gives the
 * bundle once the transaction is durable.
 */
export async function finish<T extends TerminalType>(
  tx: LedgerTx,
  work: IntentWork,
  eventType: T,
  payload: EventPayload<T>,
  now: number,
  actor?: { id: string; type: string },
): Promise<() => BundleHandle> {
  work.append(tx, eventType, payload, now, actor);
  const { record, ports } = work;
  work.nameKey("runtime", ports.signer.publicKey);
  work.nameKey("log", ports.logPublicKey);
  const { intentId, correlationId, tenantId } = record;
  const signed = await signStatement(
    buildStatement({
      intentId,
      correlationId,
      tenantId,
      cellId: ports.deployment.cellId,
      events: record.events.map(({ eventType: type, digest }) => ({ eventType: type, digest })),
      materials: materialRefs(work),
      verdicts: record.verdicts,
      ...(record.execution === null ? {} : { execution: record.execution }),
      keys: record.keys,
    }),
    ports.signer,
  );
  const index = tx.appendLeaf("bundle", signed.digest);
  const stored: StoredBundle = { envelope: signed.envelope, digest: signed.digest, index };
  writeState(tx, bundleKey(intentId), stored);
  work.save(tx);
  const materials = gatherMaterials(tx, record, work.materials);
  let proof: (() => string) | undefined;
  tx.onSealed((sealed) => {
    const hashes = sealed.prove(index);
    proof = () => formatProofFile({ index, proof: hashes, checkpoint: sealed.checkpoint });
  });
  return () =>
    bundleHandle(signed.digest, () => {
      if (proof === undefined) throw new ExoArmurError("EXO_INTERNAL", "a bundle was asked for before it was durable");
      return { envelope: signed.envelope, materials, logProof: proof() };
    });
}

/** The bundle of an ended intent, from the store and without what was dropped, with its leaf proven as proveLeaf does. */
export function storedBundle(reader: StoreReader, log: LogProver, record: IntentRecord): BundleHandle {
  const stored = readState<StoredBundle>(reader, bundleKey(record.intentId));
  if (stored === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `intent ${record.intentId} has no bundle`);
  const materials = gatherMaterials(reader, record, new Map());
  const proof = proveLeaf(reader, log, stored.index);
  return bundleHandle(stored.digest, () => ({
    envelope: stored.envelope,
    materials,
    logProof: formatProofFile(proof),
  }));
}

function materialRefs({ record }: IntentWork): MaterialRef[] {
  const events = record.events.flatMap((event): MaterialRef[] => [
    { role: "event", digest: event.digest },
    { role: "event_payload", digest: event.payloadDigest },
  ]);
  return [...record.materials, ...events];
}

/** Bytes of every material of an intent that was not dropped: those in memory, the rest from the store. */
function gatherMaterials(
  reader: StoreReader,
  record: IntentRecord,
  known: ReadonlyMap<Digest, Uint8Array>,
): Map<Digest, Uint8Array> {
  const found = new Map<Digest, Uint8Array>();
  const missing = (digest: Digest): never => {
    throw new ExoArmurError("EXO_STORE_DAMAGED", `material ${digest} of intent ${record.intentId} is missing`);
  };
  const dropped = new Set(record.dropped);
  for (const { digest } of record.materials) {
    if (dropped.has(digest)) continue;
    found.set(digest, known.get(digest) ?? reader.get(blobKey(digest)) ?? missing(digest));
  }
  for (const event of record.events) {
    const header = known.get(event.digest);
    const payload = known.get(event.payloadDigest);
    if (header !== undefined && payload !== undefined) {
      found.set(event.digest, header).set(event.payloadDigest, payload);
      continue;
    }
    const packed =
      reader.get(eventKeys.one(record.tenantId, record.correlationId, event.sequence)) ?? missing(event.digest);
    const parts = unpackEvent(packed);
    found.set(event.digest, parts.header).set(event.payloadDigest, parts.payload);
  }
  return found;
}
