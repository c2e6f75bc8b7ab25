import { z } from "zod";
import {
  actionSchema,
  actorSchema,
  jsonObjectSchema,
  nameSchema,
  saltSchema,
  timeSchema,
  ulidSchema,
} from "./common.js";

/** Greatest length of a target, in UTF-16 code units. */
export const maxTargetLength = 4096;

/** The executor an intent runs on: plugin name and exported function. */
const executorRefSchema = z.strictObject({ name: nameSchema, function: nameSchema.optional() });

/**
 * ActionIntent, resolved (spec/contracts.md). Its digest covers every member. `target` is what the executor's manifest
 * points at inside `parameters`; `executor` is absent when nothing claims the action. `salt` keeps the digest from being
 * guessed once the document is withheld.
 */
export const intentSchema = z.strictObject({
  schema: z.literal("exoarmur.intent/v1"),
  intentId: ulidSchema,
  correlationId: nameSchema,
  tenantId: nameSchema,
  cellId: nameSchema,
  actor: actorSchema,
  action: actionSchema,
  target: z.string().min(1).max(maxTargetLength).optional(),
  executor: executorRefSchema.optional(),
  parameters: jsonObjectSchema,
  idempotencyKey: nameSchema,
  requestedAt: timeSchema,
  expiresAt: timeSchema.optional(),
  context: jsonObjectSchema.optional(),
  salt: saltSchema,
});

/** ActionIntent with every default filled in: the document that is hashed, judged and run. */
export type ActionIntent = z.infer<typeof intentSchema>;

/** What a caller writes; everything that has a default may be left out (spec/contracts.md, drafts). */
export const intentDraftSchema = z.strictObject({
  $schema: z.string().optional(),
  schema: z.literal("exoarmur.intent/v1").optional(),
  intentId: ulidSchema.optional(),
  correlationId: nameSchema.optional(),
  tenantId: nameSchema.optional(),
  cellId: nameSchema.optional(),
  actor: z.union([nameSchema, actorSchema]),
  action: actionSchema,
  target: z.string().min(1).max(maxTargetLength).optional(),
  executor: z.union([nameSchema, executorRefSchema]).optional(),
  parameters: jsonObjectSchema,
  idempotencyKey: nameSchema.optional(),
  requestedAt: timeSchema.optional(),
  expiresAt: timeSchema.optional(),
  context: jsonObjectSchema.optional(),
});

/** An intent as written by an agent or a person. */
export type IntentDraft = z.infer<typeof intentDraftSchema>;

/**
 * Who handed the intent in, as the authenticating layer saw it, never as the intent says. `library`: asserted by the
 * process that calls the runtime.
 */
export const requesterSchema = z.strictObject({
  principal: nameSchema,
  method: z.enum(["library", "token", "signature"]),
  onBehalfOf: nameSchema.optional(),
});

/** The authenticated requester of an intent. */
export type Requester = z.infer<typeof requesterSchema>;
