import type { Divergence, ReplayReport } from "../contracts/replay-report.js";
import type { VerificationReport } from "../verify/report.js";
import type { SeenStep } from "./messages.js";
import type { Step, Story } from "./step.js";

/** What the page knows of the file it was given, and what it still waits for. */
export type Findings = {
  readonly name: string;
  readonly bytes: number;
  readonly trustName: string | null;
  readonly verified: VerificationReport | null;
  /** The file is one disclosed call: there is nothing to re-execute. */
  readonly call: boolean;
  readonly story: Story | null;
  readonly replayed: ReplayReport | null;
  readonly seen: readonly SeenStep[];
  readonly digest: string | null;
  /** Why the work ended early, in words; null while it goes on or when it is done. */
  readonly broken: string | null;
};

/** The word at the top of the page. Never `pass` before everything that was asked for has been done and holds. */
export type Outcome = "checking" | "pass" | "fail" | "unable";

/** The outcome of everything found so far. What was proven wrong stays wrong, whatever breaks afterwards. */
export function outcomeOf({ verified, replayed, call, broken }: Findings): Outcome {
  if (verified?.result === "fail" || replayed?.result === "failure") return "fail";
  if (broken !== null) return "unable";
  if (verified === null || (replayed === null && !call)) return "checking";
  const held = verified.result === "pass" && (call || replayed?.result === "success");
  return held ? "pass" : "unable";
}

/** Figures of an execution whose divergence belongs to its end. */
const endFigures = new Set([
  "status",
  "errorCode",
  "errorMessage",
  "output",
  "fuel",
  "memoryPeakPages",
  "re-execution",
]);

/** Index of the step of a story that a divergence is about, -1 when it is about none of them. */
export function divergingStep(steps: readonly Step[], divergence: Divergence | null): number {
  if (divergence === null) return -1;
  const call = /^host call (\d+)/.exec(divergence.step)?.[1];
  if (call !== undefined) {
    const at = steps.findIndex((step) => step.seq === Number(call));
    return at < 0 ? steps.findIndex(({ kind }) => kind === "end") : at;
  }
  if (endFigures.has(divergence.step)) return steps.findIndex(({ kind }) => kind === "end");
  return steps.findIndex((step) => step.checks.includes(divergence.step));
}
