import { z } from "zod";
import { parseCanonical } from "../canonical/read.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import { revisionsSchema, statementType } from "./bundle.js";
import { digestSchema, nameSchema, pointerOf, ulidSchema } from "./common.js";
import { type EnvelopeSigner, openEnvelope, parseEnvelope, payloadTypes } from "./dsse.js";
import { divergenceSchema, levelState, levels, replayReportSchema } from "./replay-report.js";

/** Predicate type of a signed re-execution report. */
export const reExecutionType = "urn:exoarmur:predicate:re-execution:v1";

/** Greatest size of a re-execution report's file, in bytes. */
const maxReExecutionBytes = 1_048_576;

const { result, trustMode, levels: levelsSchema, checks } = replayReportSchema.shape;

/**
 * Predicate of a signed re-execution report (spec/replay.md, Signed report). It says what was found and repeats nothing
 * of the bundle's content: no messages, outputs or bytes.
 */
export const reExecutionPredicateSchema = z
  .strictObject({
    /** Null when the file is no bundle. */
    intentId: ulidSchema.nullable(),
    result: result.exclude(["no_audit_records"]),
    /** Digest of the whole report (`resultDigest`). */
    resultDigest: digestSchema,
    trustMode,
    /** Digest of the canonical bytes of the trust file that was replayed under; null in a self-check. */
    trustDigest: digestSchema.nullable(),
    levels: levelsSchema,
    checks: z
      .array(checks.element.pick({ level: true, id: true, state: true, code: true }))
      .min(1)
      .max(200),
    divergence: divergenceSchema
      .pick({ level: true, step: true, kind: true, offset: true, fuelDelta: true })
      .nullable(),
    /** Revisions of the build that replayed. */
    revisions: revisionsSchema,
    /** What re-executed. For reading; not part of what verifiers agree on. */
    engine: nameSchema,
  })
  .refine((found) => levels.every((level) => found.levels[level] === levelState(found.checks, level)), {
    error: "expected levels that follow from the checks",
    path: ["levels"],
  })
  .refine((found) => found.result === resultOf(Object.values(found.levels)), {
    error: "expected the result that follows from the levels",
    path: ["result"],
  })
  .refine((found) => (found.divergence === null) === (found.result !== "failure"), {
    error: "expected a divergence with a failure, and only then",
    path: ["divergence"],
  })
  .refine((found) => found.result !== "success" || found.checks.some(({ id }) => id === "re-execution"), {
    error: "expected the check re-execution with a success",
    path: ["checks"],
  })
  .refine((found) => (found.trustMode === "pinned") === (found.trustDigest !== null), {
    error: "expected the digest of a trust file in the mode pinned, and only then",
    path: ["trustDigest"],
  });

/** What a verifier found when it replayed a bundle. */
export type ReExecutionPredicate = Readonly<z.infer<typeof reExecutionPredicateSchema>>;

/** The in-toto statement of a re-execution report. Its subject is the bundle file, by the digest of its bytes. */
export const reExecutionSchema = z.strictObject({
  _type: z.literal(statementType),
  subject: z.tuple([
    z.strictObject({
      name: z.literal("bundle"),
      digest: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    }),
  ]),
  predicateType: z.literal(reExecutionType),
  predicate: reExecutionPredicateSchema,
});

/** A re-execution report as a statement. */
export type ReExecutionStatement = z.infer<typeof reExecutionSchema>;

/**
 * Opens a re-execution report: canonical bytes, one signature, by one of `keys`, over a statement that does not contradict
 * itself. EXO_ENVELOPE, EXO_JSON_*, EXO_SCHEMA, EXO_TRUST, EXO_KEY_REFUSED, EXO_SIGNATURE.
 */
export function openReExecution(
  bytes: Uint8Array,
  keys: readonly Uint8Array[],
): Result<{ readonly signer: EnvelopeSigner; readonly statement: ReExecutionStatement }> {
  if (bytes.length > maxReExecutionBytes) {
    return refuse("EXO_ENVELOPE", `${bytes.length} bytes, at most ${maxReExecutionBytes} are read`);
  }
  try {
    const envelope = parseEnvelope(bytes);
    if (!envelope.ok) return envelope;
    const opened = openEnvelope(envelope.value, payloadTypes.statement, keys);
    if (!opened.ok) return opened;
    const [signer, second] = opened.value.signers;
    if (signer === undefined || second !== undefined) return refuse("EXO_ENVELOPE", "expected one signature");
    const parsed = reExecutionSchema.safeParse(parseCanonical(opened.value.payload));
    if (parsed.success) return ok({ signer, statement: parsed.data });
    const [issue] = parsed.error.issues;
    return refuse("EXO_SCHEMA", `statement: ${pointerOf(issue?.path ?? []) || "/"}: ${issue?.message ?? "bad shape"}`);
  } catch (error) {
    if (isExoArmurError(error)) return refuse(error.code, error.message);
    throw error;
  }
}

function resultOf(states: readonly string[]): "success" | "failure" | "partial" {
  if (states.includes("fail")) return "failure";
  return states.includes("unable") ? "partial" : "success";
}
