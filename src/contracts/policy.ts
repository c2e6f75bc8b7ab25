import { z } from "zod";
import { attestationFactsSchema, maxAttestations } from "./attestation.js";
import { countSchema, digestSchema, nameSchema, pointerSchema, timeSchema, ulidSchema } from "./common.js";
import { httpObligationSchema } from "./http.js";
import { requesterSchema } from "./intent.js";
import { constraintsSchema } from "./manifest.js";

const oneOrMany = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1).max(1000)]);

const text = z.string().min(1).max(4096);
const literal = z.union([z.string().max(4096), z.number(), z.boolean(), z.null()]);

/** URL target: every member given must hold; `path` is a prefix at a segment boundary. */
const urlMatchSchema = z.strictObject({
  scheme: oneOrMany(text).optional(),
  host: oneOrMany(text).optional(),
  port: oneOrMany(z.number().int().min(1).max(65535)).optional(),
  path: oneOrMany(text).optional(),
});

/** Predicate on an intent's target. A bare string is equality; `under` compares root-alias paths by segment. */
const targetMatchSchema = z.union([
  text,
  z.strictObject({ prefix: oneOrMany(text) }),
  z.strictObject({ under: oneOrMany(text) }),
  z.strictObject({ url: urlMatchSchema }),
]);

/** Predicate on one value of the parameters. `matches` is an RE2 pattern (no flags, no \p, no \b), searched unanchored. */
const parameterMatchSchema = z.union([
  literal,
  z.strictObject({ in: z.array(literal).min(1).max(1000) }),
  z.strictObject({ min: z.number().optional(), max: z.number().optional() }),
  z.strictObject({ matches: z.string().min(1).max(1000) }),
]);

/** SHA-256 that an attestation must be about: given, or found in the parameters as `sha256:<hex>`. */
const subjectMatchSchema = z.union([
  z.strictObject({ digest: digestSchema }),
  z.strictObject({ parameter: pointerSchema }),
]);

/** Predicate on one verified attestation: every member given must hold of the same one. */
const attestationMatchSchema = z.strictObject({
  predicateType: oneOrMany(nameSchema),
  attester: oneOrMany(nameSchema).optional(),
  subject: oneOrMany(subjectMatchSchema).optional(),
});

/** An action, `fs.*` (whole segments) or `*`. */
export const actionPatternSchema = z
  .string()
  .max(200)
  .regex(/^(?:\*|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?:\.\*)?)$/, "expected an action or a pattern such as fs.*");

/** Members of a rule's match: all that are present must hold; a list means any of. */
const ruleMatchSchema = z.strictObject({
  tenant: oneOrMany(nameSchema).optional(),
  actor: z.strictObject({ id: oneOrMany(nameSchema).optional(), type: oneOrMany(nameSchema).optional() }).optional(),
  action: oneOrMany(actionPatternSchema).optional(),
  executor: oneOrMany(nameSchema).optional(),
  target: oneOrMany(targetMatchSchema).optional(),
  parameters: z.record(pointerSchema, parameterMatchSchema).optional(),
  attestation: oneOrMany(attestationMatchSchema).optional(),
});

/** Verdicts a policy can give. */
export const policyVerdictSchema = z.enum(["allow", "deny", "require_approval", "defer"]);

/** A policy's verdict. */
export type PolicyVerdict = z.infer<typeof policyVerdictSchema>;

/**
 * What a rule asks for besides its verdict. `narrow` maps a capability to constraints that replace the grant's where
 * they are narrower; the text `{target}` stands for the intent's target. `methods`, `pathPrefix` and `urls` are for
 * `http_request` and narrow every place of its `allow`.
 */
const obligationsSchema = z.strictObject({
  approvals: z.number().int().min(1).max(100).optional(),
  roles: z.array(nameSchema).min(1).max(20).optional(),
  expiresInSeconds: z.number().int().min(1).max(31_536_000).optional(),
  /** Seconds from the request until an approved run may start; less than the request stands. Absent: none. */
  holdSeconds: z.number().int().min(1).max(2_592_000).optional(),
  narrow: z
    .record(
      nameSchema,
      constraintsSchema.extend({ paths: z.array(text).min(1).max(100).optional(), ...httpObligationSchema.shape }),
    )
    .optional(),
});

/** Role of an approver key that names none, and what is asked for when a policy names none. */
export const defaultApproverRole = "approver";

/** Seconds an approval request stands when the policy names none. */
export const defaultExpirySeconds = 900;

/** Obligations of a decision. */
export type Obligations = z.infer<typeof obligationsSchema>;

/** One rule. */
const ruleSchema = z.strictObject({
  /** At most 190 characters: a final verdict lists it as `policy:<id>`, which is a name too. */
  id: nameSchema
    .max(190)
    .refine((id) => id !== "default", "expected another id: `default` names the rule that denies what nothing matched"),
  match: ruleMatchSchema,
  verdict: policyVerdictSchema,
  rationale: z.string().max(2000).optional(),
  obligations: obligationsSchema.optional(),
});

/** One policy rule. */
export type PolicyRule = z.infer<typeof ruleSchema>;

/** PolicyDocument (spec/contracts.md): first matching rule wins; nothing matched is the rule `default`, deny. */
export const policySchema = z
  .strictObject({
    schema: z.literal("exoarmur.policy/v1"),
    policyId: nameSchema,
    version: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
    rules: z.array(ruleSchema).max(10_000),
  })
  .refine((policy) => new Set(policy.rules.map((rule) => rule.id)).size === policy.rules.length, {
    message: "expected rule ids to be unique",
    path: ["rules"],
  });

/** A whole policy. */
export type PolicyDocument = z.infer<typeof policySchema>;

/** PolicyInput: what a policy judges, by digest where a material carries the document. */
export const policyInputSchema = z.strictObject({
  schema: z.literal("exoarmur.policy-input/v1"),
  intentDigest: digestSchema,
  requester: requesterSchema,
  pluginDigest: digestSchema.nullable(),
  manifestDigest: digestSchema.nullable(),
  effects: z.enum(["none", "read", "write"]).nullable(),
  evaluatedAt: timeSchema,
  /** Attestations that came with the intent, all verified; absent when there are none. */
  attestations: z.array(attestationFactsSchema).min(1).max(maxAttestations).optional(),
});

/** The facts beside the intent that a policy decision is bound to. */
export type PolicyInput = z.infer<typeof policyInputSchema>;

/** PolicyDecision (spec/contracts.md). `ruleIds` are what determined the verdict. */
export const decisionSchema = z.strictObject({
  schema: z.literal("exoarmur.policy-decision/v1"),
  decisionId: ulidSchema,
  verdict: policyVerdictSchema,
  ruleIds: z.array(nameSchema).min(1),
  rationale: z.string().max(4000),
  obligations: obligationsSchema,
  policyDigest: digestSchema,
  inputDigest: digestSchema,
  /** `engine`: the release of another language's evaluator, in words; absent for rules. */
  evaluator: z.strictObject({ name: nameSchema, revision: countSchema, engine: nameSchema.optional() }),
});

/** A recorded policy decision. */
export type PolicyDecision = z.infer<typeof decisionSchema>;
