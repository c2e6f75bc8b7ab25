import type { z } from "zod";
import { type Digest, digestOf } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { type MaterialRole, materialRoles } from "../contracts/bundle.js";
import { parseContract } from "../contracts/common.js";
import { eventHeaderSchema, eventPayloads } from "../contracts/event.js";
import { type ActionIntent, intentSchema } from "../contracts/intent.js";
import { unsalt } from "../contracts/material.js";
import { type PolicyDecision, type PolicyInput, policyInputSchema } from "../contracts/policy.js";
import { type AnyPolicy, anyPolicySchema, cedarSchemaName } from "../contracts/policy-cedar.js";
import { ExoArmurError, isExoArmurError, type Refusal } from "../errors.js";
import { type EventRef, type IntentRecord, readState } from "../pipeline/documents.js";
import { unpackEvent } from "../pipeline/recorder.js";
import { blobKey, eventKeys, intentKeys } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";

/** A policy decision as it was recorded, with everything it was made from but the policy. */
export type RecordedDecision = {
  readonly intent: ActionIntent;
  readonly input: PolicyInput;
  readonly decision: PolicyDecision;
  /** When it was made. */
  readonly recordedAt: string;
};

/** One decision of an intent: read whole, or why it cannot be. */
export type FoundDecision = { readonly recordedAt: string | null } & (
  | { readonly recorded: RecordedDecision; readonly missing?: never }
  | { readonly recorded?: never; readonly missing: Refusal }
);

/** Every intent of a store, one at a time, by id. Ids begin with their time, so the oldest come first. */
export function* recordedIntents(store: StoreReader): Generator<IntentRecord> {
  for (const [key] of store.range(intentKeys.all)) {
    const record = readState<IntentRecord>(store, key);
    if (record !== undefined) yield record;
  }
}

/**
 * The policy decisions of an intent in order: none when it was refused before policy, two when it was judged again after
 * an approval. Each document must have the digest it is named by; one that is missing or altered makes its decision
 * `missing` (EXO_MATERIAL_MISSING, EXO_STORE_DAMAGED, EXO_JSON_*, EXO_SCHEMA).
 */
export function recordedDecisions(store: StoreReader, record: IntentRecord): FoundDecision[] {
  return record.events
    .filter(({ eventType }) => eventType === "policy_evaluated")
    .map((event) => {
      let recordedAt: string | null = null;
      try {
        const read = readDecision(store, record, event);
        recordedAt = read.recordedAt;
        const input = readMaterial(store, read.decision.inputDigest, "policy_input", policyInputSchema);
        const intent = readMaterial(store, input.intentDigest, "intent", intentSchema);
        if (intent.intentId !== record.intentId)
          throw damaged(`the decision of ${record.intentId} is about another intent`);
        return { recordedAt, recorded: { ...read, input, intent } };
      } catch (error) {
        if (!isExoArmurError(error)) throw error;
        return { recordedAt, missing: { code: error.code, message: error.message } };
      }
    });
}

/** Whether some recorded decision of a store is under a Cedar policy, so that its engine is needed to judge it again. */
export function usesCedar(store: StoreReader): boolean {
  const seen = new Set<Digest>();
  for (const { materials } of recordedIntents(store)) {
    for (const { role, digest } of materials) if (role === "policy") seen.add(digest);
  }
  return [...seen].some((digest) => {
    const bytes = store.get(blobKey(digest));
    try {
      return bytes !== undefined && anyPolicySchema.safeParse(parseCanonical(bytes)).data?.schema === cedarSchemaName;
    } catch (error) {
      // Found damaged by whoever reads it for what it says.
      if (isExoArmurError(error)) return false;
      throw error;
    }
  });
}

/** The policy that a decision was made under. Errors as of a missing document. */
export function recordedPolicy(store: StoreReader, { policyDigest }: PolicyDecision): AnyPolicy {
  return readMaterial(store, policyDigest, "policy", anyPolicySchema);
}

function readDecision(
  store: StoreReader,
  { tenantId, correlationId }: IntentRecord,
  { sequence, digest }: EventRef,
): { readonly decision: PolicyDecision; readonly recordedAt: string } {
  const packed = store.get(eventKeys.one(tenantId, correlationId, sequence));
  if (packed === undefined) throw missing(`event ${digest} is not kept`);
  const { header, payload } = unpackEvent(packed);
  if (digestOf(header) !== digest) throw damaged(`event ${digest} has other bytes`);
  const { payloadDigest, recordedAt } = parseContract(eventHeaderSchema, parseCanonical(header), "event");
  const content = digestOf(payload) === payloadDigest ? unsalt(payload) : undefined;
  if (content === undefined) throw damaged(`the payload of event ${digest} has other bytes`);
  const { decision } = parseContract(eventPayloads.policy_evaluated, parseCanonical(content), "event payload");
  return { decision, recordedAt };
}

function readMaterial<T>(store: StoreReader, digest: Digest, role: MaterialRole, schema: z.ZodType<T>): T {
  const bytes = store.get(blobKey(digest));
  if (bytes === undefined) throw missing(`${role} ${digest} is not kept`);
  const content = digestOf(bytes) !== digest ? undefined : materialRoles[role].salted ? unsalt(bytes) : bytes;
  if (content === undefined) throw damaged(`${role} ${digest} has other bytes`);
  return parseContract(schema, parseCanonical(content), role);
}

const missing = (message: string) => new ExoArmurError("EXO_MATERIAL_MISSING", message);
const damaged = (message: string) => new ExoArmurError("EXO_STORE_DAMAGED", message);
