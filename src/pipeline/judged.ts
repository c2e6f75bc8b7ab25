import type { z } from "zod";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type EventPayload, type EventType, eventPayloads } from "../contracts/event.js";
import { saltBytes } from "../contracts/material.js";
import type { PolicyDecision } from "../contracts/policy.js";
import type { SafetyVerdict } from "../contracts/safety.js";
import { ExoArmurError } from "../errors.js";
import type { StoreReader } from "../ports.js";
import type { IntentRecord } from "./documents.js";
import { unpackEvent } from "./recorder.js";
import { eventKeys } from "./store-keys.js";

/** What every result says of how its intent was judged last; null when it was refused before. */
export type Judged = {
  readonly intentId: string;
  readonly correlationId: string;
  readonly decision: PolicyDecision | null;
  readonly safety: SafetyVerdict | null;
};

/** The same from a judgement in hand. */
export function judgedOf(
  { intentId, correlationId }: IntentRecord,
  { decision, safety }: { readonly decision: PolicyDecision; readonly safety: SafetyVerdict },
): Judged {
  return { intentId, correlationId, decision, safety };
}

/** The same from the events recorded so far. EXO_STORE_DAMAGED. */
export function judgedBefore(reader: StoreReader, record: IntentRecord): Judged {
  const { intentId, correlationId } = record;
  return {
    intentId,
    correlationId,
    decision: lastPayload(reader, record, "policy_evaluated")?.decision ?? null,
    safety: lastPayload(reader, record, "safety_evaluated")?.verdict ?? null,
  };
}

function lastPayload<T extends EventType>(
  reader: StoreReader,
  record: IntentRecord,
  type: T,
): EventPayload<T> | undefined {
  const found = record.events.findLast((event) => event.eventType === type);
  if (found === undefined) return undefined;
  const packed = reader.get(eventKeys.one(record.tenantId, record.correlationId, found.sequence));
  if (packed === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `event ${found.digest} is missing`);
  const payload = parseCanonical(unpackEvent(packed).payload.slice(saltBytes));
  return parseContract(eventPayloads[type] as unknown as z.ZodType<EventPayload<T>>, payload, "stored event");
}
