import { z } from "zod";
import { countSchema, digestSchema, nameSchema, timeSchema, ulidSchema } from "./common.js";
import { policyVerdictSchema } from "./policy.js";

const sideSchema = z.strictObject({
  verdict: policyVerdictSchema,
  ruleIds: z.array(nameSchema).min(1),
  rationale: z.string(),
});

/** One decision that would have been another. */
export const flipSchema = z.strictObject({
  intentId: ulidSchema,
  tenantId: nameSchema,
  correlationId: nameSchema,
  actor: nameSchema,
  action: nameSchema,
  target: z.string().nullable(),
  recordedAt: timeSchema,
  /** What was decided, and what the candidate says. */
  recorded: sideSchema,
  candidate: sideSchema,
  /** `allow->deny`, or what changed under the same verdict: `fewer approvals`, `wider` (spec/what-if.md). */
  classes: z.array(z.string()).min(1),
});

/** Recorded decisions evaluated again under a candidate policy, `exoarmur.backtest/v1` (spec/what-if.md). Never hashed. */
export const backtestSchema = z.strictObject({
  schema: z.literal("exoarmur.backtest/v1"),
  candidate: z.strictObject({ policyId: nameSchema, version: countSchema, digest: digestSchema }),
  filter: z.strictObject({
    since: timeSchema.nullable(),
    until: timeSchema.nullable(),
    tenant: nameSchema.nullable(),
  }),
  /** `unable`: some decision that was asked for could not be evaluated; there may be flips as well. */
  result: z.enum(["same", "flips", "unable"]),
  counts: z.strictObject({
    intents: countSchema,
    /** Intents that were refused before any policy was asked. */
    notJudged: countSchema,
    decisions: countSchema,
    same: countSchema,
    flips: countSchema,
    notCheckable: countSchema,
    classes: z.record(z.string(), countSchema),
  }),
  flips: z.array(flipSchema),
  notCheckable: z.array(z.strictObject({ intentId: ulidSchema, code: z.string(), message: z.string() })),
});

/** Outcome of a backtest. */
export type Backtest = z.infer<typeof backtestSchema>;

/** One decision that would have been another. */
export type Flip = z.infer<typeof flipSchema>;
