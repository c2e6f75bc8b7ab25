import {
  type Divergence,
  type ExecutionComparison,
  levelState,
  type ReplayCheck,
  type ReplayReport,
} from "../contracts/replay-report.js";

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

  /** Makes the report. */
  report(facts: Pick<ReplayReport, "target" | "trustMode" | "engine" | "counts">, noRecords = false): ReplayReport {
    const states = {
      structure: levelState(this.checks, "structure"),
      governance: levelState(this.checks, "governance"),
      execution: levelState(this.checks, "execution"),
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
