import type { Divergence } from "../../contracts/replay-report.js";
import type { Step } from "./step.js";

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
