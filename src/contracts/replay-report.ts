import { z } from "zod";

/** Levels of a replay, from the shape of the record to its computation. */
export const levels = ["structure", "governance", "execution"] as const;

/** What sort of difference a divergence is (spec/replay.md, Report). */
const divergenceKinds = [
  "payload_hash_mismatch",
  "missing_events",
  "sequence_gap",
  "chain_mismatch",
  "lifecycle_mismatch",
  "signature_mismatch",
  "log_proof_mismatch",
  "policy_verdict_mismatch",
  "safety_verdict_mismatch",
  "final_verdict_mismatch",
  "approval_mismatch",
  "plugin_digest_mismatch",
  "host_call_mismatch",
  "execution_status_mismatch",
  "executor_output_mismatch",
  "fuel_mismatch",
  "memory_mismatch",
  "canonicalization_mismatch",
  "schema_version_mismatch",
] as const;

const stateSchema = z.enum(["pass", "fail", "unable", "not_applicable"]);
const levelSchema = z.enum(levels);
const countSchema = z.int().min(0);
const hexSchema = z.string().regex(/^(?:[0-9a-f]{2})*$/);

/**
 * What stands on both sides around a difference, at most 16 bytes before it and 32 from it on; `from` is the offset of
 * the first of them.
 */
const surroundingsSchema = z.strictObject({ from: countSchema, expected: hexSchema, actual: hexSchema });

/** The first difference between a record and what was computed again. */
export const divergenceSchema = z.strictObject({
  level: levelSchema,
  /** Check, event, figure or host call at which the two part. */
  step: z.string(),
  kind: z.enum(divergenceKinds),
  intentId: z.string().nullable(),
  expected: z.string(),
  actual: z.string(),
  /** First differing byte, where bytes were compared. */
  offset: countSchema.optional(),
  bytes: surroundingsSchema.optional(),
  /** Replayed minus recorded fuel, where both are known. */
  fuelDelta: z.int().optional(),
});

const checkSchema = z.strictObject({
  level: levelSchema,
  intentId: z.string().nullable(),
  id: z.string(),
  title: z.string(),
  state: stateSchema,
  code: z.string().optional(),
  message: z.string(),
});

const figuresSchema = z.strictObject({
  status: z.string(),
  errorCode: z.string().nullable(),
  /** A guest's own words about its error, or the host's fixed ones. */
  errorMessage: z.string().nullable(),
  /** SHA-256 of the bare output bytes, for reading only. */
  output: z.string().nullable(),
  fuel: countSchema,
  memoryPeakPages: countSchema,
  hostCalls: countSchema,
});

/** Recorded and re-executed figures of one execution. */
export const comparisonSchema = z.strictObject({
  intentId: z.string(),
  recorded: figuresSchema,
  replayed: figuresSchema,
});

/** Outcome of a replay, `exoarmur.replay/v1` (spec/replay.md, Report). It is shown; only resultDigest hashes it, to compare machines. */
export const replayReportSchema = z.strictObject({
  schema: z.literal("exoarmur.replay/v1"),
  target: z.strictObject({ kind: z.enum(["bundle", "correlation"]), id: z.string() }),
  /** `partial`: nothing contradicted, but something could not be checked or has not ended. Never a pass. */
  result: z.enum(["success", "failure", "partial", "no_audit_records"]),
  trustMode: z.enum(["pinned", "self_check_only"]),
  /** Names the engine that re-executed; not part of any identity. */
  engine: z.string().nullable(),
  levels: z.strictObject({ structure: stateSchema, governance: stateSchema, execution: stateSchema }),
  counts: z.strictObject({ events: countSchema, intents: countSchema, executions: countSchema }),
  checks: z.array(checkSchema),
  executions: z.array(comparisonSchema),
  failures: z.array(z.string()),
  warnings: z.array(z.string()),
  /** The first divergence, or null. */
  divergence: divergenceSchema.nullable(),
});

/** The state of a level: failed if any check on it failed, else unable if any was, else passed if any did. */
export function levelState(
  checks: readonly { readonly level: Level; readonly state: LevelState }[],
  level: Level,
): LevelState {
  const states = new Set(checks.filter((check) => check.level === level).map((check) => check.state));
  for (const state of ["fail", "unable", "pass"] as const) if (states.has(state)) return state;
  return "not_applicable";
}

/** A replay level. */
export type Level = (typeof levels)[number];

/** State of a check or level. */
type LevelState = z.infer<typeof stateSchema>;

/** What sort of difference a divergence is. */
export type DivergenceKind = (typeof divergenceKinds)[number];

/** The first difference between a record and its replay. */
export type Divergence = Readonly<z.infer<typeof divergenceSchema>>;

/** One check of a replay. */
export type ReplayCheck = Readonly<z.infer<typeof checkSchema>>;

/** What is compared of an execution. */
export type ExecutionFigures = Readonly<z.infer<typeof figuresSchema>>;

/** Recorded and re-executed figures of one execution. */
export type ExecutionComparison = Readonly<z.infer<typeof comparisonSchema>>;

/** Outcome of a replay. */
export type ReplayReport = Readonly<z.infer<typeof replayReportSchema>>;
