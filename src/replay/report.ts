import type { CheckState } from "../verify/report.js";

/** Levels of a replay, from the shape of the record to its computation. */
export const levels = ["structure", "governance", "execution"] as const;

/** A replay level. */
export type Level = (typeof levels)[number];

/** What sort of difference a divergence is. */
export type DivergenceKind =
  | "payload_hash_mismatch"
  | "missing_events"
  | "sequence_gap"
  | "chain_mismatch"
  | "lifecycle_mismatch"
  | "signature_mismatch"
  | "log_proof_mismatch"
  | "policy_verdict_mismatch"
  | "safety_verdict_mismatch"
  | "final_verdict_mismatch"
  | "approval_mismatch"
  | "plugin_digest_mismatch"
  | "host_call_mismatch"
  | "execution_status_mismatch"
  | "executor_output_mismatch"
  | "fuel_mismatch"
  | "memory_mismatch"
  | "canonicalization_mismatch"
  | "schema_version_mismatch";

/** The first difference between a record and its replay (spec/replay.md). */
export type Divergence = {
  readonly level: Level;
  /** Check, event or host call at which the two part. */
  readonly step: string;
  readonly kind: DivergenceKind;
  readonly intentId: string | null;
  readonly expected: string;
  readonly actual: string;
  /** First differing byte, where bytes were compared. */
  readonly offset?: number;
  /** Replayed minus recorded fuel, where both are known. */
  readonly fuelDelta?: number;
};

/** One check of a replay. */
export type ReplayCheck = {
  readonly level: Level;
  readonly intentId: string | null;
  readonly id: string;
  readonly title: string;
  readonly state: CheckState;
  readonly code?: string;
  readonly message: string;
};

/** Recorded and re-executed figures of one execution. */
export type ExecutionComparison = {
  readonly intentId: string;
  readonly recorded: ExecutionFigures;
  readonly replayed: ExecutionFigures;
};

/** What is compared of an execution. `output` is the SHA-256 of the bare output bytes, for reading only. */
export type ExecutionFigures = {
  readonly status: string;
  readonly errorCode: string | null;
  /** A guest's own words about its error, or the host's fixed ones. */
  readonly errorMessage: string | null;
  readonly output: string | null;
  readonly fuel: number;
  readonly memoryPeakPages: number;
  readonly hostCalls: number;
};

/** Outcome of a replay (spec/replay.md). */
export type ReplayReport = {
  readonly schema: "exoarmur.replay/v1";
  readonly target: { readonly kind: "bundle" | "correlation"; readonly id: string };
  /** `partial`: nothing contradicted, but something could not be checked or has not ended. Never a pass. */
  readonly result: "success" | "failure" | "partial" | "no_audit_records";
  readonly trustMode: "pinned" | "self_check_only";
  /** Names the engine that re-executed; not part of any identity. */
  readonly engine: string | null;
  readonly levels: Readonly<Record<Level, CheckState>>;
  readonly counts: { readonly events: number; readonly intents: number; readonly executions: number };
  readonly checks: readonly ReplayCheck[];
  readonly executions: readonly ExecutionComparison[];
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
  /** The first divergence, or null. */
  readonly divergence: Divergence | null;
};

/** Collects what a replay finds. */
export class Findings {
  readonly checks: ReplayCheck[] = [];
  readonly executions: ExecutionComparison[] = [];
  readonly warnings: string[] = [];
  divergence: Divergence | null = null;

  /** Adds a check that found nothing wrong, or could not be made, or does not apply. */
  add(check: ReplayCheck): void {
    this.checks.push(check);
  }

  /** Adds a failed check with its divergence; the first divergence is the report's. */
  diverge(check: Omit<ReplayCheck, "state">, divergence: Divergence): void {
    this.checks.push({ ...check, state: "fail" });
    this.divergence ??= divergence;
  }

  /** The state of a level: failed if anything failed, else unable if anything was, else passed if anything did. */
  level(level: Level): CheckState {
    const states = new Set(this.checks.filter((check) => check.level === level).map((check) => check.state));
    for (const state of ["fail", "unable", "pass"] as const) if (states.has(state)) return state;
    return "not_applicable";
  }

  /** Makes the report. */
  report(facts: Pick<ReplayReport, "target" | "trustMode" | "engine" | "counts">, noRecords = false): ReplayReport {
    const states = {
      structure: this.level("structure"),
      governance: this.level("governance"),
      execution: this.level("execution"),
    };
    const all = Object.values(states);
    const failed = all.includes("fail");
    const partial = all.includes("unable") || this.warnings.length > 0;
    return {
      schema: "exoarmur.replay/v1",
      ...facts,
      result: noRecords ? "no_audit_records" : failed ? "failure" : partial ? "partial" : "success",
      levels: states,
      checks: this.checks,
      executions: this.executions,
      failures: this.checks.filter((check) => check.state === "fail").map((check) => check.message),
      warnings: this.warnings,
      divergence: this.divergence,
    };
  }
}
