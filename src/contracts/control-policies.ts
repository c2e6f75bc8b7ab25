import { z } from "zod";
import { backtestSchema } from "./backtest.js";
import { countSchema, digestSchema, nameSchema, operatorSchema, timeSchema } from "./common.js";
import { page, pageParts } from "./control.js";
import { intentDraftSchema } from "./intent.js";
import { decisionSchema, policyVerdictSchema } from "./policy.js";
import { policyCasesSchema } from "./policy-cases.js";
import { anyPolicySchema } from "./policy-cedar.js";
import { policyChangeSchema } from "./policy-change.js";

/** Cases that one request may bring. */
const maxCases = 1000;

/** Intents that one backtest looks at, flips and refusals that it lists, and widenings that a proposal shows. */
export const policyBounds = { intents: 2000, listed: 100, widenings: 20 } as const;

/** What is asked of the routes of policies (spec/control-plane.md, Policies). */
export const policyRequests = {
  proposal: z.strictObject({ digest: digestSchema }),
  /** Which decisions: `since` is included, `until` is not; a tenant of the caller's, by default all of them. */
  backtest: z.strictObject({
    since: timeSchema.optional(),
    until: timeSchema.optional(),
    tenantId: nameSchema.optional(),
  }),
  scores: z.strictObject({
    tenantId: nameSchema.optional(),
    actorId: nameSchema.optional(),
    limit: pageParts.limit,
    cursor: pageParts.cursor,
  }),
  cases: z.strictObject({
    ...policyCasesSchema.shape,
    cases: policyCasesSchema.shape.cases.max(maxCases, `expected at most ${maxCases} cases`),
  }),
} as const;

const policyName = { policyId: nameSchema, version: countSchema, digest: digestSchema, envelopeDigest: digestSchema };

const proposalHead = z.strictObject({
  ...policyName,
  /** Whose signatures it carries. */
  authors: z.array(operatorSchema).min(1),
  proposedAt: timeSchema,
});

/** A proposal as lists show it. */
export type ProposalHead = z.infer<typeof proposalHead>;

const side = z.strictObject({ verdict: policyVerdictSchema, ruleIds: z.array(nameSchema).min(1) });

/** What the routes of policies answer. */
export const policyReplies = {
  proposals: z.strictObject({
    /** The policy in force. */
    active: z.strictObject(policyName),
    items: z.array(proposalHead),
  }),
  proposed: proposalHead,
  proposal: z.strictObject({
    ...proposalHead.shape,
    document: anyPolicySchema,
    /** The policy in force, which it is compared with, and which an order to activate it has to name. */
    replaces: digestSchema,
    change: policyChangeSchema,
    /** Requests that it permits further, as evaluating both shows; the first of each kind, at most 20. */
    widenings: z.array(
      z.strictObject({
        class: nameSchema,
        about: z.string(),
        before: side,
        after: side,
        witness: intentDraftSchema,
      }),
    ),
  }),
  withdrawn: z.strictObject({ withdrawn: z.literal(true) }),
  backtest: z.strictObject({
    /** Of the caller's tenants. Counts are of all that was looked at; flips and notCheckable list the newest 100 each. */
    backtest: backtestSchema,
    /** False: there are older intents that were not looked at. */
    complete: z.boolean(),
  }),
  tested: z.strictObject({
    passed: countSchema,
    failed: countSchema,
    cases: z.array(
      z.strictObject({
        name: z.string(),
        /** Empty for a case that passed. */
        problems: z.array(z.string()),
        outcome: z.strictObject({
          verdict: policyVerdictSchema,
          ruleIds: z.array(nameSchema).min(1),
          rationale: z.string(),
          obligations: decisionSchema.shape.obligations,
        }),
      }),
    ),
  }),
  activated: z.strictObject({ ...policyName, replaced: digestSchema }),
  scores: page(
    z.strictObject({
      tenantId: nameSchema,
      actorId: nameSchema,
      score: z.number().min(0).max(1),
      /** Id of the operator that signed the order, and the order's envelope. */
      operator: nameSchema,
      envelopeDigest: digestSchema,
      recordedAt: timeSchema,
      /** False: a later order set another. */
      stands: z.boolean(),
    }),
  ),
} as const;
