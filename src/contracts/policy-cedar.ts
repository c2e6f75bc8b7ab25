import { z } from "zod";
import { nameSchema } from "./common.js";
import { type PolicyDocument, policySchema } from "./policy.js";

/** Greatest lengths of a Cedar policy's texts, in UTF-16 code units, and of its list of entities. */
const cedarBounds = { schema: 262_144, policies: 524_288, entities: 1000, parents: 100 } as const;

/** The `schema` member of a policy in Cedar. */
export const cedarSchemaName = "exoarmur.policy.cedar/v1";

const group = z.strictObject({ type: z.literal("Group"), id: nameSchema });

/** Whom a group holds, as Cedar's JSON writes an entity. What else an actor has comes from the intent. */
const entitySchema = z.strictObject({
  uid: z.strictObject({ type: z.enum(["Actor", "Group"]), id: nameSchema }),
  attrs: z.strictObject({}),
  parents: z.array(group).max(cedarBounds.parents),
});

/**
 * A policy in Cedar (spec/policy-cedar.md). `cedarSchema` declares actions and what each takes, `policies` are Cedar's
 * own text, each with an `@id`; both are hashed as they are written.
 */
export const cedarPolicySchema = z
  .strictObject({
    schema: z.literal(cedarSchemaName),
    policyId: nameSchema,
    version: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
    cedarSchema: z.string().max(cedarBounds.schema),
    policies: z.string().max(cedarBounds.policies),
    entities: z.array(entitySchema).max(cedarBounds.entities).optional(),
  })
  .refine(
    ({ entities = [] }) =>
      new Set(entities.map(({ uid }) => JSON.stringify([uid.type, uid.id]))).size === entities.length,
    { message: "expected every entity once", path: ["entities"] },
  );

/** A whole policy in Cedar. */
export type CedarPolicy = z.infer<typeof cedarPolicySchema>;

/** A policy in either language. */
export const anyPolicySchema = z.discriminatedUnion("schema", [policySchema, cedarPolicySchema]);

/** A policy in either language. */
export type AnyPolicy = PolicyDocument | CedarPolicy;

/** True for a policy that only Cedar's engine can evaluate. */
export function isCedar(policy: AnyPolicy): policy is CedarPolicy {
  return policy.schema === cedarSchemaName;
}
