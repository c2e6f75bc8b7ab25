import { z } from "zod";
import { actionClassSchema } from "./action-class.js";
import { countSchema, digestSchema, nameSchema, timeSchema } from "./common.js";

const ratio = z.number().min(0).max(1);

/** A sliding-window budget of one tenant. */
export const budgetSchema = z.strictObject({
  limit: countSchema,
  windowSeconds: z.number().int().min(1).max(31_536_000),
});

/**
 * Safety configuration: the source of each signal. `off` switches the rule off and the verdict lists it as off.
 * Kill switches have no switch of their own: they always apply. `state`: set by a signed operator command, 1 until set.
 */
export const safetyConfigSchema = z.strictObject({
  schema: z.literal("exoarmur.safety-config/v1"),
  sources: z.strictObject({
    trustScore: z.enum(["state", "off"]),
    cellLoad: z.enum(["measured", "off"]),
    networkHealth: z.enum(["peers", "off"]),
  }),
  budgets: z.strictObject({ runs: budgetSchema.optional(), fuel: budgetSchema.optional() }),
  /** Action classes that need a person, whatever the policy allows. Absent: the rule is not there. */
  operatorApproval: z.array(actionClassSchema).min(1).optional(),
});

/** Where the gate's signals come from. */
export type SafetyConfig = z.infer<typeof safetyConfigSchema>;

/** Use of one budget at the time of the snapshot: settled and reserved inside the window, and what this run asks for. */
const budgetUseSchema = z.strictObject({
  name: z.enum(["runs", "fuel"]),
  limit: countSchema,
  windowSeconds: countSchema,
  used: countSchema,
  reserved: countSchema,
  asked: countSchema,
});

/** SafetySnapshot: the state a safety verdict was computed from. null: the source gave nothing. */
export const safetySnapshotSchema = z.strictObject({
  schema: z.literal("exoarmur.safety-snapshot/v1"),
  takenAt: timeSchema,
  tenantId: nameSchema,
  actorId: nameSchema,
  killSwitch: z.strictObject({
    global: z.boolean().nullable(),
    tenant: z.boolean().nullable(),
    epoch: countSchema,
  }),
  policyVerified: z.boolean(),
  trustScore: ratio.nullable(),
  cellLoad: ratio.nullable(),
  networkHealth: ratio.nullable(),
  budgets: z.array(budgetUseSchema),
  /** Present exactly when the configuration has `operatorApproval`. */
  actionClass: actionClassSchema.optional(),
});

/** Recorded state of the safety gate's signals. */
export type SafetySnapshot = z.infer<typeof safetySnapshotSchema>;

/** Verdicts the gate can give. */
export const safetyVerdictNameSchema = z.enum(["allow", "deny", "require_human", "require_quorum"]);

/** SafetyVerdict (spec/contracts.md). */
export const safetyVerdictSchema = z.strictObject({
  schema: z.literal("exoarmur.safety-verdict/v1"),
  verdict: safetyVerdictNameSchema,
  ruleIds: z.array(nameSchema).min(1),
  rulesOff: z.array(nameSchema),
  rationale: z.string().max(2000),
  stateDigest: digestSchema,
  configDigest: digestSchema,
});

/** A recorded safety verdict. */
export type SafetyVerdict = z.infer<typeof safetyVerdictSchema>;

/** FinalVerdict: deny > require_quorum > require_human > require_approval > allow, with the rules that fired. */
export const finalVerdictSchema = z.strictObject({
  schema: z.literal("exoarmur.final-verdict/v1"),
  verdict: z.enum(["deny", "require_quorum", "require_human", "require_approval", "allow"]),
  ruleIds: z.array(nameSchema).min(1),
});

/** The resolved verdict over policy and safety. */
export type FinalVerdict = z.infer<typeof finalVerdictSchema>;
