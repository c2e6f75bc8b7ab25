import type { RunEndWord } from "../contracts/counterfactual.js";
import type { Divergence } from "../contracts/replay-report.js";

/** How a run under other conditions compares, by its first difference. Other fuel and memory are what it may have. */
export function runEndOf(divergence: Divergence | null): RunEndWord {
  switch (divergence?.kind) {
    case undefined:
    case "fuel_mismatch":
    case "memory_mismatch":
      return "identical";
    case "host_call_mismatch":
      return "host calls differ";
    case "executor_output_mismatch":
      return "output differs";
    default:
      return "ends otherwise";
  }
}
