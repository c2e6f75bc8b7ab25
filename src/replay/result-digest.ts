import { type Digest, digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import type { ReplayReport } from "../contracts/replay-report.js";

/**
 * Digest of what a replay found: the canonical bytes of its report without `engine`. Machines that agree on every check,
 * on outputs, fuel, memory and host calls, and on the first divergence, have the same one (spec/replay.md).
 */
export function resultDigest({ engine: _, ...found }: ReplayReport): Digest {
  return digestOf(canonicalize(found));
}
