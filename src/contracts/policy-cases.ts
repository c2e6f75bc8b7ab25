import { z } from "zod";
import { nameSchema } from "./common.js";
import { intentDraftSchema } from "./intent.js";
import { decisionSchema, policyVerdictSchema } from "./policy.js";

const caseSchema = z.strictObject({
  name: z.string().min(1).max(200),
  /** A draft as an agent would write it, with the target that its executor would act on. */
  intent: intentDraftSchema,
  /** Members that are left out are not compared. */
  expect: z.strictObject({
    verdict: policyVerdictSchema,
    ruleIds: z.array(nameSchema).min(1).optional(),
    obligations: decisionSchema.shape.obligations.optional(),
  }),
});

/** Cases of a policy, `*.cases.json` beside it (spec/what-if.md): what must be decided about which request. */
export const policyCasesSchema = z.strictObject({
  $schema: z.string().optional(),
  schema: z.literal("exoarmur.policy-cases/v1"),
  cases: z.array(caseSchema).min(1).max(10_000),
});

/** Cases of a policy. */
export type PolicyCases = z.infer<typeof policyCasesSchema>;

/** One case of a policy. */
export type PolicyCase = z.infer<typeof caseSchema>;
