import { z } from "zod";
import { challengeSchema, controlRoles, sessionRoleSchema } from "./access.js";
import { adviceSchema, nextStepsSchema } from "./advice.js";
import { approvalRequestSchema, previewSchema } from "./approval.js";
import {
  actionSchema,
  actorSchema,
  base64Schema,
  countSchema,
  digestSchema,
  jsonSchema,
  keyIdSchema,
  nameSchema,
  timeSchema,
  ulidSchema,
} from "./common.js";
import { eventSchema, reasonSchema } from "./event.js";
import { executionRecordSchema } from "./execution.js";
import { requesterSchema } from "./intent.js";
import { decisionSchema } from "./policy.js";
import { anyPolicySchema } from "./policy-cedar.js";
import { safetyVerdictSchema } from "./safety.js";
import { submissionSchema } from "./signed-intent.js";

/** Longest long poll, in milliseconds. */
const maxWaitMs = 30_000;

/** Most items of one page. */
export const maxPage = 100;

/** A whole number as a query gives it. */
const numberText = (most: number) =>
  z
    .string()
    .regex(/^(?:0|[1-9]\d{0,15})$/, "expected a whole number")
    .transform(Number)
    .refine((value) => value <= most, `expected at most ${most}`);

const waitMs = numberText(maxWaitMs).optional();
const limit = numberText(maxPage)
  .refine((value) => value > 0, "expected at least 1")
  .optional();
const cursor = z.string().min(1).max(400).optional();

/** What the query of a list says of its page. */
export const pageParts = { limit, cursor } as const;

/** What is asked of the API, by route (spec/control-plane.md). Query members are texts. */
export const requests = {
  none: z.strictObject({}),
  challenge: z.strictObject({ keyId: keyIdSchema, role: sessionRoleSchema }),
  session: z.strictObject({ sessionId: ulidSchema }),
  submission: submissionSchema,
  wait: z.strictObject({ waitMs }),
  intent: z.strictObject({ intentId: ulidSchema }),
  intents: z.strictObject({
    /** Words that all stand in an intent's id, correlation, tenant, actor, action or target, in any case. */
    q: z.string().min(1).max(200).optional(),
    tenantId: nameSchema.optional(),
    actorId: nameSchema.optional(),
    action: actionSchema.optional(),
    state: z.enum(["pending", "started", "in_doubt", "denied", "completed", "failed", "resolved"]).optional(),
    from: timeSchema.optional(),
    until: timeSchema.optional(),
    limit,
    cursor,
  }),
  events: z.strictObject({
    tenantId: nameSchema.optional(),
    correlationId: nameSchema.optional(),
    actorId: nameSchema.optional(),
    eventType: nameSchema.optional(),
    from: timeSchema.optional(),
    until: timeSchema.optional(),
    limit,
    cursor,
  }),
  /** `after` is the id of the last message that was seen. */
  live: z.strictObject({ tenantId: nameSchema.optional(), after: numberText(Number.MAX_SAFE_INTEGER).optional() }),
  approval: z.strictObject({ requestId: ulidSchema }),
  approvals: z.strictObject({
    tenantId: nameSchema.optional(),
    status: z.enum(["pending", "approved", "denied", "expired", "superseded", "spent", "any"]).optional(),
    limit,
    cursor,
  }),
  proof: z.strictObject({ index: numberText(Number.MAX_SAFE_INTEGER) }),
  size: z.strictObject({ size: numberText(Number.MAX_SAFE_INTEGER).optional() }),
  consistency: z.strictObject({ old: numberText(Number.MAX_SAFE_INTEGER), new: numberText(Number.MAX_SAFE_INTEGER) }),
} as const;

const intentState = z.enum(["pending", "started", "in_doubt", "denied", "completed", "failed", "resolved"]);

const intentHead = z.strictObject({
  intentId: ulidSchema,
  correlationId: nameSchema,
  tenantId: nameSchema,
  actor: actorSchema,
  requester: requesterSchema,
  /** Null, as the target then is, once the intent was dropped from the store (spec/retention.md). */
  action: actionSchema.nullable(),
  target: z.string().nullable(),
  state: intentState,
  receivedAt: timeSchema,
});

/** An intent as lists show it. */
export type IntentHead = z.infer<typeof intentHead>;

const result = z.strictObject({
  intentId: ulidSchema,
  correlationId: nameSchema,
  status: z.enum(["executed", "failed", "denied", "approval_pending", "in_doubt", "running"]),
  decision: decisionSchema.nullable(),
  safety: safetyVerdictSchema.nullable(),
  /** `json`: the value (a text is one); `bytes`: base64. */
  output: z
    .union([
      z.strictObject({ kind: z.literal("json"), value: jsonSchema }),
      z.strictObject({ kind: z.literal("bytes"), base64: base64Schema }),
    ])
    .optional(),
  /** The output was dropped from the store: a null stands in its place. */
  outputDropped: z.literal(true).optional(),
  fuel: z.strictObject({ limit: countSchema, used: countSchema }).optional(),
  hostCalls: countSchema.optional(),
  reason: reasonSchema.optional(),
  /** With every reason: what can be done about it. */
  advice: adviceSchema.optional(),
  execution: executionRecordSchema.optional(),
  approval: approvalRequestSchema.optional(),
  /** Enough people approved, and the run waits for this time. */
  heldUntil: timeSchema.optional(),
  /** Digest of the bundle, which has a route of its own. */
  bundle: digestSchema.optional(),
});

/** A result as JSON. */
export type ResultView = z.infer<typeof result>;

const approvalHead = z.strictObject({
  requestDigest: digestSchema,
  status: z.enum(["pending", "approved", "denied", "expired", "superseded", "spent"]),
  decisions: z.array(
    z.strictObject({
      approver: nameSchema,
      keyId: keyIdSchema,
      decision: z.enum(["approve", "deny"]),
      envelopeDigest: digestSchema,
      signedAt: timeSchema,
      reason: z.string().optional(),
    }),
  ),
  request: approvalRequestSchema,
});

/** An approval request and where it stands. */
export type ApprovalHead = z.infer<typeof approvalHead>;

const sessionView = z.strictObject({
  sessionId: ulidSchema,
  keyId: keyIdSchema,
  role: sessionRoleSchema,
  id: nameSchema,
  openedAt: timeSchema,
  expiresAt: timeSchema,
});

/** A page of a list. */
export const page = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });

/** Root hashes and proof hashes, base64. */
const hashes = z.array(base64Schema);

/** What the API answers, by route. */
export const replies = {
  health: z.strictObject({ status: z.literal("ok") }),
  readiness: z.strictObject({ status: z.enum(["ready", "closing"]) }),
  document: z.record(z.string(), jsonSchema),
  challenge: challengeSchema,
  opened: z.strictObject({ token: z.string(), ...sessionView.shape }),
  sessions: z.strictObject({ items: z.array(sessionView) }),
  closed: z.strictObject({ closed: z.literal(true) }),
  principal: z.strictObject({
    name: nameSchema,
    credential: nameSchema,
    roles: z.array(z.enum(controlRoles)),
    tenants: z.array(nameSchema).nullable(),
    cellId: nameSchema,
  }),
  result,
  intent: z.strictObject({ ...intentHead.shape, result }),
  intents: page(intentHead),
  events: page(eventSchema),
  trace: z.strictObject({ items: z.array(eventSchema) }),
  approvals: page(approvalHead),
  /** The preview, and its material, are null once they were dropped from the store. */
  approval: z.strictObject({
    ...approvalHead.shape,
    preview: previewSchema.nullable(),
    /** 32 bytes of salt and the canonical preview, base64: the request names their SHA-256, so that whoever signs can check it. */
    previewMaterial: base64Schema.nullable(),
  }),
  killSwitch: z.strictObject({
    global: z.boolean(),
    tenants: z.record(nameSchema, z.boolean()),
    epoch: countSchema,
    /** The home's KILL file denies every start, whatever the switches say. */
    killFile: z.boolean(),
  }),
  plugins: z.strictObject({
    items: z.array(
      z.strictObject({
        name: nameSchema,
        version: nameSchema,
        publisher: nameSchema.nullable(),
        signed: z.boolean(),
        pluginDigest: digestSchema,
        manifestDigest: digestSchema,
        functions: z.array(z.strictObject({ name: nameSchema, action: actionSchema, effects: nameSchema })),
      }),
    ),
    refused: z.array(z.strictObject({ name: nameSchema, code: nameSchema, message: z.string() })),
  }),
  policy: z.strictObject({
    policyId: nameSchema,
    version: countSchema,
    digest: digestSchema,
    envelopeDigest: digestSchema,
    document: anyPolicySchema,
  }),
  proof: z.strictObject({ index: countSchema, size: countSchema, leaf: base64Schema, hashes }),
  consistency: z.strictObject({ old: countSchema, new: countSchema, hashes }),
} as const;

/** An approval request with what its approvers are shown. */
export type ApprovalView = z.infer<typeof replies.approval>;

/** Why a live stream ended, as its last message says. */
export const liveEndSchema = z.strictObject({ code: z.string(), message: z.string().max(4000) });

/** Problem document (RFC 9457) of every error. `type` is a name of the code, not an address. */
export const problemSchema = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  requestId: ulidSchema,
  /** Where in the body or query the error sits. */
  pointer: z.string().optional(),
  /** What can be done, where there is something. */
  nextSteps: nextStepsSchema.optional(),
});

/** A problem document. */
export type Problem = z.infer<typeof problemSchema>;
