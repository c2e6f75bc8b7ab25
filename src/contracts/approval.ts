import { z } from "zod";
import { attestationFactsSchema } from "./attestation.js";
import {
  actionSchema,
  actorSchema,
  digestSchema,
  jsonObjectSchema,
  keyIdSchema,
  nameSchema,
  saltSchema,
  timeSchema,
  ulidSchema,
} from "./common.js";
import { grantsSchema } from "./manifest.js";

/** One person who may decide: every key of theirs, and the roles they hold. */
const rosterEntrySchema = z.strictObject({
  id: nameSchema,
  keyIds: z.array(keyIdSchema).min(1),
  roles: z.array(nameSchema).min(1),
});

/** A member of a request's roster. */
export type RosterEntry = z.infer<typeof rosterEntrySchema>;

/** What the approver is shown, and signs through its digest. */
export const previewSchema = z.strictObject({
  schema: z.literal("exoarmur.preview/v1"),
  intentId: ulidSchema,
  actor: actorSchema,
  action: actionSchema,
  executor: z.strictObject({ name: nameSchema, version: nameSchema, function: nameSchema }),
  target: z.string().nullable(),
  effects: z.enum(["none", "read", "write"]),
  parameters: jsonObjectSchema,
  grants: grantsSchema,
  /** What others attested, as the policy saw it; absent when nothing was attached. */
  attestations: z.array(attestationFactsSchema).min(1).optional(),
});

/** The preview document. */
export type Preview = z.infer<typeof previewSchema>;

/**
 * ApprovalRequest (spec/contracts.md). Its digest is what a grant names, so a grant binds the intent, the policy, the
 * plugin, its manifest, the narrowed grants, what was shown, who could decide, until when, and this one request.
 */
export const approvalRequestSchema = z.strictObject({
  schema: z.literal("exoarmur.approval-request/v1"),
  requestId: ulidSchema,
  intentId: ulidSchema,
  intentDigest: digestSchema,
  policyDigest: digestSchema,
  pluginDigest: digestSchema,
  manifestDigest: digestSchema,
  grantsDigest: digestSchema,
  previewDigest: digestSchema,
  verdict: z.enum(["require_approval", "require_human", "require_quorum"]),
  threshold: z.number().int().min(1).max(100),
  roster: z.array(rosterEntrySchema).min(1),
  requestedAt: timeSchema,
  /** Before this instant the run does not start, however many approved. Absent: nothing is held. */
  notBefore: timeSchema.optional(),
  expiresAt: timeSchema,
  nonce: saltSchema,
  cellId: nameSchema,
  tenantId: nameSchema,
});

/** A request for approval. */
export type ApprovalRequest = z.infer<typeof approvalRequestSchema>;

/** ApprovalGrant (spec/contracts.md): one approver's decision, signed as DSSE. `reason` is mandatory for a deny. */
export const approvalGrantSchema = z
  .strictObject({
    schema: z.literal("exoarmur.approval-grant/v1"),
    requestDigest: digestSchema,
    decision: z.enum(["approve", "deny"]),
    reason: z.string().min(1).max(2000).optional(),
    approver: z.strictObject({ id: nameSchema, keyId: keyIdSchema }),
    nonce: saltSchema,
    signedAt: timeSchema,
  })
  .refine((grant) => grant.decision === "approve" || (grant.reason ?? "").trim() !== "", {
    message: "a deny needs a reason",
    path: ["reason"],
  });

/** A decision on a request. */
export type ApprovalGrant = z.infer<typeof approvalGrantSchema>;
