import { z } from "zod";
import { backtestSchema, flipSchema } from "./backtest.js";
import { statementType } from "./bundle.js";
import { countSchema, digestSchema, nameSchema, timeSchema, ulidSchema } from "./common.js";
import { decisionSchema } from "./policy.js";

/** Predicate type of a shadow decision. No check of an enforced run takes it (spec/what-if.md, Shadow mode). */
export const shadowPredicateType = "urn:exoarmur:predicate:shadow-decision:v1";

/** What a shadow decision says: the candidate's answer to the very input that the policy in force was asked. */
const shadowPredicateSchema = z.strictObject({
  schema: z.literal("exoarmur.shadow-decision/v1"),
  intentId: ulidSchema,
  correlationId: nameSchema,
  tenantId: nameSchema,
  cellId: nameSchema,
  candidate: z.strictObject({ policyId: nameSchema, version: countSchema, digest: digestSchema }),
  evaluator: decisionSchema.shape.evaluator,
  inputDigest: digestSchema,
  /** Digest of the policy_evaluated event that it stands beside, and that event's place in its chain. */
  enforced: z.strictObject({ eventDigest: digestSchema, sequence: countSchema }),
  evaluatedAt: timeSchema,
  verdict: decisionSchema.shape.verdict,
  ruleIds: decisionSchema.shape.ruleIds,
  rationale: decisionSchema.shape.rationale,
  obligations: decisionSchema.shape.obligations,
});

/**
 * A shadow decision, an in-toto Statement about the intent. The log holds a leaf of kind `shadow` with the SHA-256 of 32
 * salt bytes and its canonical bytes; it is not signed by itself.
 */
export const shadowStatementSchema = z.strictObject({
  _type: z.literal(statementType),
  subject: z
    .array(
      z.strictObject({
        name: z.literal("intent"),
        digest: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      }),
    )
    .length(1),
  predicateType: z.literal(shadowPredicateType),
  predicate: shadowPredicateSchema,
});

/** A shadow decision. */
export type ShadowStatement = z.infer<typeof shadowStatementSchema>;

/** Recorded shadow decisions beside the enforced ones, `exoarmur.shadow-report/v1` (spec/what-if.md). Never hashed. */
export const shadowReportSchema = z.strictObject({
  schema: z.literal("exoarmur.shadow-report/v1"),
  /** Every candidate that was asked, in order of its first decision. */
  candidates: z.array(
    z.strictObject({
      policyId: nameSchema,
      version: countSchema,
      digest: digestSchema,
      decisions: countSchema,
      flips: countSchema,
    }),
  ),
  filter: backtestSchema.shape.filter,
  result: backtestSchema.shape.result,
  counts: z.strictObject({
    /** Enforced decisions, and those of them beside which no candidate was asked. */
    enforced: countSchema,
    notShadowed: countSchema,
    decisions: countSchema,
    same: countSchema,
    flips: countSchema,
    notCheckable: countSchema,
    classes: backtestSchema.shape.counts.shape.classes,
  }),
  flips: z.array(z.strictObject({ ...flipSchema.shape, candidateDigest: digestSchema })),
  notCheckable: backtestSchema.shape.notCheckable,
});

/** What recorded shadow decisions come to. */
export type ShadowReport = z.infer<typeof shadowReportSchema>;
