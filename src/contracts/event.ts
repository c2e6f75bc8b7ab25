import { z } from "zod";
import { approvalRequestSchema } from "./approval.js";
import { maxAttestations } from "./attestation.js";
import {
  actorSchema,
  countSchema,
  digestSchema,
  jsonObjectSchema,
  keyIdSchema,
  nameSchema,
  saltSchema,
  timeSchema,
  ulidSchema,
} from "./common.js";
import { executionRecordSchema } from "./execution.js";
import { requesterSchema } from "./intent.js";
import { decisionSchema } from "./policy.js";
import { policyChangeSchema } from "./policy-change.js";
import { materialsDroppedSchema } from "./retention.js";
import { finalVerdictSchema, safetyVerdictSchema } from "./safety.js";
import { endReasonSchema } from "./trust.js";

/** Why something was not done: a stable code, words, the rules, and what the caller may do about it. */
export const reasonSchema = z.strictObject({
  code: nameSchema,
  message: z.string().max(4000),
  ruleIds: z.array(nameSchema),
  approvalCouldHelp: z.boolean(),
  retrySafe: z.boolean(),
});

/** A reason as shown to callers and recorded. */
export type Reason = z.infer<typeof reasonSchema>;

/** A write-effect that began: its place in the transcript and the idempotency key it was given. */
const effectSchema = z.strictObject({
  seq: countSchema,
  capability: nameSchema,
  requestDigest: digestSchema,
  effectId: digestSchema,
});

/** A journaled write-effect. `requestDigest` is of the request bytes; it only occurs inside salted payloads. */
export type Effect = z.infer<typeof effectSchema>;

/** How an in-doubt action really ended, as an operator found it. */
export const resolutionOutcomeSchema = z.enum(["committed", "not_executed", "unknown"]);

/** Most rows of one `access_denied`. */
export const maxAccessDenials = 64;

/**
 * Denied requests that are alike. Nothing in it is of the requester's choosing: `route` is the control plane's own name
 * of a route, or null for none; `credential` is the id of a proven key or token, else null.
 */
const accessDenialSchema = z.strictObject({
  code: nameSchema,
  cause: nameSchema,
  route: nameSchema.nullable(),
  credential: nameSchema.nullable(),
  count: countSchema.min(1),
});

/** Denied requests that are alike. */
export type AccessDenial = z.infer<typeof accessDenialSchema>;

/**
 * Payload of every event type (spec/contracts.md). The registry may grow; a type this build does not know makes a
 * replay `partial`.
 */
export const eventPayloads = {
  intent_received: z.strictObject({
    intentDigest: digestSchema,
    requester: requesterSchema,
    /** Materials of the attestations that came with it, verified or not; absent when none did. */
    attestations: z.array(digestSchema).min(1).max(maxAttestations).optional(),
  }),
  policy_evaluated: z.strictObject({ decision: decisionSchema }),
  safety_evaluated: z.strictObject({ verdict: safetyVerdictSchema }),
  verdict_resolved: z.strictObject({ final: finalVerdictSchema }),
  approval_requested: z.strictObject({ request: approvalRequestSchema, requestDigest: digestSchema }),
  approval_granted: z.strictObject({
    requestDigest: digestSchema,
    envelopeDigest: digestSchema,
    approver: nameSchema,
  }),
  approval_denied: z.strictObject({
    requestDigest: digestSchema,
    envelopeDigest: digestSchema,
    approver: nameSchema,
    reason: z.string().max(2000),
  }),
  approval_expired: z.strictObject({ requestDigest: digestSchema, expiresAt: timeSchema }),
  execution_started: z.strictObject({
    pluginDigest: digestSchema,
    manifestDigest: digestSchema,
    policyDigest: digestSchema,
    grantsDigest: digestSchema,
    inputDigest: digestSchema,
    configDigest: digestSchema,
    stateDigest: digestSchema,
    killSwitchEpoch: countSchema,
    spent: digestSchema.nullable(),
  }),
  effect_started: effectSchema,
  execution_completed: z.strictObject({ execution: executionRecordSchema }),
  execution_failed: z.strictObject({ execution: executionRecordSchema, reason: reasonSchema }),
  intent_denied: z.strictObject({ reason: reasonSchema }),
  execution_in_doubt: z.strictObject({
    startedDigest: digestSchema,
    cause: nameSchema,
    effects: z.array(effectSchema),
    execution: executionRecordSchema.nullable(),
  }),
  execution_resolved: z.strictObject({
    outcome: resolutionOutcomeSchema,
    evidence: z.array(digestSchema),
    resolver: nameSchema,
    envelopeDigest: digestSchema,
  }),
  kill_switch_changed: z.strictObject({
    scope: z.enum(["global", "tenant"]),
    tenantId: nameSchema.nullable(),
    on: z.boolean(),
    epoch: countSchema,
    /** Digest of the signed order; null for the switches that `init` sets. */
    envelopeDigest: digestSchema.nullable(),
  }),
  trust_score_changed: z.strictObject({
    tenantId: nameSchema,
    actorId: nameSchema,
    score: z.number().min(0).max(1),
    envelopeDigest: digestSchema,
  }),
  policy_changed: z.strictObject({
    policyDigest: digestSchema,
    policyId: nameSchema,
    version: countSchema,
    previous: digestSchema.nullable(),
    envelopeDigest: digestSchema,
    /** How it differs from `previous`; absent where there is none, and in records from before it was told. */
    change: policyChangeSchema.optional(),
    /** Digest of the order that put it in force; absent where it was taken from the home's file. */
    orderDigest: digestSchema.optional(),
  }),
  /** A policy that an author proposed, not in force. `policyDigest` is of its document, which is kept while it waits. */
  policy_proposed: z.strictObject({
    policyDigest: digestSchema,
    policyId: nameSchema,
    version: countSchema,
    envelopeDigest: digestSchema,
  }),
  /** A proposal that was taken back; `credential` is the id of the key whose session asked for it. */
  policy_withdrawn: z.strictObject({
    policyDigest: digestSchema,
    policyId: nameSchema,
    version: countSchema,
    credential: nameSchema,
  }),
  plugin_admitted: z.strictObject({
    name: nameSchema,
    version: nameSchema,
    pluginDigest: digestSchema,
    manifestDigest: digestSchema,
    meteredDigest: digestSchema,
    /** Digest of the manifest's envelope, when its publisher signed it. */
    envelopeDigest: digestSchema.optional(),
  }),
  /** A key that came in; `previous` is the key of the same role and id that ended with it. */
  key_rotated: z.strictObject({
    role: nameSchema,
    id: nameSchema,
    keyId: keyIdSchema,
    from: countSchema.nullable(),
    previous: keyIdSchema.nullable(),
  }),
  /** A key that ends: what it signs at log index `until` or later does not count; `reason` as the trust file has it. */
  key_revoked: z.strictObject({
    role: nameSchema,
    id: nameSchema,
    keyId: keyIdSchema,
    until: countSchema,
    reason: endReasonSchema.optional(),
  }),
  /** What the control plane refused in a window of time, counted (spec/control-plane.md, Denied access). */
  access_denied: z.strictObject({
    since: timeSchema,
    until: timeSchema,
    denials: z.array(accessDenialSchema).min(1).max(maxAccessDenials),
  }),
  /** Materials of ended intents that an operator had dropped (spec/retention.md). */
  materials_dropped: materialsDroppedSchema,
} as const;

/** A registered event type. */
export type EventType = keyof typeof eventPayloads;

/** Payload of one event type. */
export type EventPayload<T extends EventType> = z.infer<(typeof eventPayloads)[T]>;

/** Event types that end an intent. Exactly one per intent. */
export const terminalEventTypes: ReadonlySet<string> = new Set([
  "intent_denied",
  "execution_completed",
  "execution_failed",
  "execution_resolved",
]);

/**
 * Header of a CanonicalEvent: everything but `payload` and `salt`. eventDigest is the SHA-256 of its canonical bytes.
 * The salt stays out, so that a withheld payload cannot be guessed from a disclosed header.
 */
export const eventHeaderSchema = z.strictObject({
  schema: z.literal("exoarmur.event/v1"),
  eventId: ulidSchema,
  eventType: nameSchema,
  actor: actorSchema,
  correlationId: nameSchema,
  sequence: countSchema,
  previous: digestSchema.nullable(),
  parentEventId: ulidSchema.optional(),
  cellId: nameSchema,
  tenantId: nameSchema,
  intentId: ulidSchema.nullable(),
  payloadDigest: digestSchema,
  recordedAt: timeSchema,
});

/** The hashed part of an event. */
export type EventHeader = z.infer<typeof eventHeaderSchema>;

/** CanonicalEvent (spec/contracts.md). payloadDigest = SHA-256(salt bytes || canonical payload). */
export const eventSchema = z.strictObject({
  ...eventHeaderSchema.shape,
  payload: jsonObjectSchema,
  salt: saltSchema,
});

/** One recorded event. */
export type CanonicalEvent = z.infer<typeof eventSchema>;
