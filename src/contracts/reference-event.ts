import { z } from "zod";
import { jsonObjectSchema } from "./common.js";

/** An id of the reference, which asks for nothing but text; an empty one names nothing. */
const idSchema = z.string().min(1).max(1000);

/** CanonicalEvent of ExoArmur-Core 2.1 as its `to_dict` writes it (spec/reference-replay.md, Event). */
export const referenceEventSchema = z.strictObject({
  event_id: idSchema,
  event_type: idSchema,
  actor: z.string(),
  correlation_id: idSchema,
  payload: jsonObjectSchema,
  payload_hash: z.string(),
  sequence_number: z.int().min(0).nullable().optional(),
  parent_event_id: z.string().nullable().optional(),
  cell_id: z.string().optional(),
  tenant_id: z.string().optional(),
  trace_id: z.string().optional(),
});

const text = z.string().refine((value) => value === value.trim(), "expected text without space around it");
const ulidText = z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/, "expected a ULID");

/** ExecutionIntentV1 of the reference, which an `intent_executed` event carries. Times are checked apart. */
export const referenceIntentSchema = z.strictObject({
  schema_version: text,
  intent_id: ulidText,
  tenant_id: text,
  cell_id: text,
  idempotency_key: text,
  subject: jsonObjectSchema,
  intent_type: text,
  action_class: z.enum(["A0_observe", "A1_soft_containment", "A2_hard_containment", "A3_irreversible"]),
  requested_at: z.string(),
  ttl_seconds: z.int().nullable().optional(),
  parameters: jsonObjectSchema.nullable().optional(),
  policy_context: jsonObjectSchema,
  safety_context: jsonObjectSchema,
  correlation_id: text,
  trace_id: text,
});

/** Where ours is stricter than the reference: the rules of spec/reference-replay.md. */
const strictRules = [
  "blank_hash",
  "conflicting_ids",
  "sequence",
  "tenants",
  "rounded_number",
  "binding_mismatch",
  "binding_unchecked",
] as const;

const countSchema = z.int().min(0);
const resultSchema = z.enum(["success", "failure", "partial"]);

/** The report of the reference's own engine, member for member. */
const reportSchema = z.strictObject({
  correlation_id: z.string(),
  replay_timestamp: z.literal("1970-01-01T00:00:00Z"),
  result: resultSchema,
  total_events: countSchema,
  processed_events: countSchema,
  failed_events: countSchema,
  intent_hash_verified: z.boolean(),
  safety_gate_verified: z.boolean(),
  audit_integrity_verified: z.boolean(),
  reconstructed_intents: z.record(z.string(), jsonObjectSchema),
  reconstructed_decisions: z.strictObject({}),
  safety_gate_verdicts: z.record(z.string(), z.unknown()),
  failures: z.array(z.string()),
  warnings: z.array(z.string()),
});

/** Outcome of a replay in reference mode, `exoarmur.reference-replay/v1` (spec/reference-replay.md, Report). */
export const referenceReplaySchema = z.strictObject({
  schema: z.literal("exoarmur.reference-replay/v1"),
  /** The worst of all correlations. */
  result: resultSchema,
  correlations: z.array(
    z.strictObject({
      correlationId: z.string(),
      /** The reference's result, or a worse one where a stricter rule says so. */
      result: resultSchema,
      reference: reportSchema,
      stricter: z.array(
        z.strictObject({
          rule: z.enum(strictRules),
          result: z.enum(["failure", "partial"]),
          eventId: z.string().nullable(),
          message: z.string(),
        }),
      ),
    }),
  ),
});

/** The fields of a reference event but its payload. */
export type ReferenceEventHeader = Readonly<Omit<z.infer<typeof referenceEventSchema>, "payload">>;

/** Outcome of a replay in reference mode. */
export type ReferenceReplay = Readonly<z.infer<typeof referenceReplaySchema>>;

/** Outcome for one correlation. */
export type ReferenceCorrelation = ReferenceReplay["correlations"][number];

/** The report of the reference's own engine. */
export type ReferenceReport = ReferenceCorrelation["reference"];

/** Where ours found more than the reference does. */
export type StricterFinding = ReferenceCorrelation["stricter"][number];
