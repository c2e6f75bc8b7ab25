import { z } from "zod";
import { countSchema, nameSchema } from "./common.js";

/** Revision of how a policy change is told; another revision's word is not judged. */
export const policyChangeRevision = 1;

/** Bytes of a document up to which it is compared at all, as reading its rules costs steps as well; none larger is proposed. */
export const maxComparedBytes = 262_144;

/**
 * How a policy differs from the one before it (spec/what-if.md, Policy diff): `equal` and `narrows` are proven, `widens`
 * was shown by a request, `undecided` says why.
 */
export const policyChangeSchema = z.strictObject({
  revision: countSchema,
  result: z.enum(["equal", "narrows", "widens", "undecided"]),
  /** Classes of what was found wider, each once, sorted. */
  classes: z.array(nameSchema),
  /** The first place that was not decided. */
  undecided: z.string().max(1000).optional(),
});

/** How a policy differs from the one before it. */
export type PolicyChange = z.infer<typeof policyChangeSchema>;
