import { z } from "zod";
import { countSchema, digestSchema, keyIdSchema, nameSchema } from "./common.js";
import { reExecutionPredicateSchema } from "./re-execution.js";
import { replayReportSchema } from "./replay-report.js";

const { result, trustMode, resultDigest, divergence, engine } = reExecutionPredicateSchema.shape;

/** What one verifier finds otherwise than those it is compared with: a check, or the digest of everything. */
const differenceSchema = z.strictObject({ what: z.string(), expected: z.string(), actual: z.string() });

/** One that was asked, and what came of it. */
const voiceSchema = z.strictObject({
  /** The node or file that it came from. */
  from: z.string(),
  /** Whose key signed, by its id in the trust file, or the node's own. Null when no known key did. */
  verifier: nameSchema.nullable(),
  keyId: keyIdSchema.nullable(),
  /** `agrees` with the others, `differs` from them, or is `refused` and not counted. */
  state: z.enum(["agrees", "differs", "refused"]),
  code: z.string().optional(),
  message: z.string(),
  result: result.nullable(),
  resultDigest: digestSchema.nullable(),
  difference: differenceSchema.nullable(),
  /** Where its own replay first parted from the record it was given. */
  divergence,
  engine: engine.nullable(),
});

/**
 * What many verifiers say of one bundle, `exoarmur.agreement/v1` (spec/replay.md, Many verifiers). `result` is what at
 * least `threshold` of them found alike, else `no_consensus`.
 */
export const agreementSchema = z.strictObject({
  schema: z.literal("exoarmur.agreement/v1"),
  bundleDigest: digestSchema,
  threshold: countSchema.min(1),
  result: z.enum([...result.options, "no_consensus"]),
  /** What they agree on; null without consensus. */
  resultDigest: resultDigest.nullable(),
  trustMode: trustMode.nullable(),
  levels: replayReportSchema.shape.levels.nullable(),
  counts: z.strictObject({ agrees: countSchema, differs: countSchema, refused: countSchema }),
  voices: z.array(voiceSchema),
});

/** One that was asked, and what came of it. */
export type AgreementVoice = Readonly<z.infer<typeof voiceSchema>>;

/** What many verifiers say of one bundle. */
export type Agreement = Readonly<z.infer<typeof agreementSchema>>;
