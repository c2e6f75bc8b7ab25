import type { Digest } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import type { CallDisclosure } from "../contracts/call-disclosure.js";
import type { EventType } from "../contracts/event.js";
import { encodeBase64, equalBytes } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { type LogProver, proveLeaf } from "../log/cosigned.js";
import { leafBytes } from "../log/leaf.js";
import { formatProofFile } from "../log/proof-file.js";
import { LEAVES } from "../log/store-layout.js";
import { transcriptPath } from "../log/transcript.js";
import type { StoreReader } from "../ports.js";
import { type EventRef, type IntentRecord, readState } from "./documents.js";
import { unpackEvent } from "./recorder.js";
import { blobKey, eventKeys, intentKeys } from "./store-keys.js";

/** Events that carry an execution record. */
const executionEvents: ReadonlySet<EventType> = new Set([
  "execution_completed",
  "execution_failed",
  "execution_in_doubt",
]);

/**
 * One host call of a recorded run, alone (spec/bundle.md, Disclosing one call): canonical bytes of an
 * `exoarmur.call-disclosure/v1` document, proven as proveLeaf does. Nothing of the other calls, the input or the
 * output is in it.
 *
 * @throws ExoArmurError EXO_INTENT_UNKNOWN; EXO_LOG_RANGE when no execution is recorded or it made no such call;
 *   EXO_STORE_DAMAGED
 */
export function discloseCall(reader: StoreReader, log: LogProver, intentId: string, seq: number): Uint8Array {
  const record = readState<IntentRecord>(reader, intentKeys.one(intentId));
  if (record === undefined) throw new ExoArmurError("EXO_INTENT_UNKNOWN", `no intent has the id ${intentId}`);
  const event = record.events.find(({ eventType }) => executionEvents.has(eventType));
  if (event === undefined || record.execution === null) {
    throw new ExoArmurError("EXO_LOG_RANGE", `no execution is recorded for intent ${intentId}, so it made no calls`);
  }
  const calls = record.materials.filter(({ role }) => role === "host_call").map(({ digest }) => digest);
  const call = calls[seq];
  if (call === undefined) {
    throw new ExoArmurError(
      "EXO_LOG_RANGE",
      `intent ${intentId} made ${calls.length} host calls, none numbered ${seq}`,
    );
  }
  const { header, payload } = storedParts(reader, record, event);
  const index = leafIndex(reader, event.digest);
  const disclosure: CallDisclosure = {
    schema: "exoarmur.call-disclosure/v1",
    call: encodeBase64(reader.get(blobKey(call)) ?? missing(call)),
    path: transcriptPath(calls, seq).map(encodeBase64),
    event: encodeBase64(header),
    payload: encodeBase64(payload),
    logProof: formatProofFile(proveLeaf(reader, log, index)),
  };
  return canonicalize(disclosure, { maxBytes: 268_435_456 });
}

function storedParts(
  reader: StoreReader,
  { tenantId, correlationId }: IntentRecord,
  event: EventRef,
): ReturnType<typeof unpackEvent> {
  return unpackEvent(reader.get(eventKeys.one(tenantId, correlationId, event.sequence)) ?? missing(event.digest));
}

/** Where an event's leaf is. Leaves are looked at from the newest back: what is asked about is mostly recent. */
function leafIndex(reader: StoreReader, event: Digest): number {
  const wanted = leafBytes("event", event);
  for (const [key, leaf] of reader.range({ ...LEAVES, reverse: true })) {
    if (equalBytes(leaf, wanted)) return Number(key.slice(LEAVES.gte.length));
  }
  return missing(event);
}

function missing(digest: Digest): never {
  throw new ExoArmurError("EXO_STORE_DAMAGED", `${digest} is not in the store`);
}
