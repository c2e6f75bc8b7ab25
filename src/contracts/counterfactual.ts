import { z } from "zod";
import { countSchema, digestSchema, nameSchema, ulidSchema } from "./common.js";
import { comparisonSchema, divergenceSchema } from "./replay-report.js";

/** How a run that was made again under other conditions compares with the recorded one (spec/what-if.md). */
const runEndSchema = z.enum(["identical", "output differs", "ends otherwise", "host calls differ"]);

/** How a run under other conditions compares. */
export type RunEndWord = z.infer<typeof runEndSchema>;

/**
 * A recorded run made again with one host answer changed, `exoarmur.counterfactual/v1` (spec/what-if.md, Another answer).
 * It says what would have been computed, of an answer that nobody gave: no evidence of anything, and never signed.
 */
export const counterfactualSchema = z.strictObject({
  schema: z.literal("exoarmur.counterfactual/v1"),
  counterfactual: z.literal(true),
  bundleDigest: digestSchema,
  intentId: ulidSchema,
  override: z.strictObject({
    seq: countSchema,
    capability: nameSchema,
    /** Digests of the answer's bytes as recorded, and as given instead. */
    recorded: digestSchema,
    given: digestSchema,
  }),
  end: runEndSchema,
  execution: comparisonSchema,
  /** The first difference from the record, or null. */
  divergence: divergenceSchema.nullable(),
});

/** A recorded run with one answer changed. */
export type Counterfactual = z.infer<typeof counterfactualSchema>;
