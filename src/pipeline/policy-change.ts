import { clipText } from "../canonical/clip-text.js";
import { type Digest, digestOf } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type PolicyDocument, policySchema } from "../contracts/policy.js";
import { maxComparedBytes, type PolicyChange, policyChangeRevision } from "../contracts/policy-change.js";
import { isExoArmurError } from "../errors.js";
import { diffPolicies, type Widening } from "../policy/diff.js";
import type { StoreReader } from "../ports.js";
import { blobKey } from "./store-keys.js";

/** Steps for each of the two questions: a start waits for them. Part of the revision, as what is told depends on it. */
const budget = 500_000;

/** A policy change as it is recorded, and the requests that show what is wider. */
export type ShownChange = { readonly change: PolicyChange; readonly widenings: readonly Widening[] };

/**
 * How a policy differs from the one before, as `policy_changed` records it. Deterministic and bounded: what takes longer
 * is `undecided`, and so is a comparison with a policy that is not kept. Never throws over what is stored.
 */
export function policyChange(reader: Pick<StoreReader, "get">, previous: Digest, digest: Digest): PolicyChange {
  return showChange(reader, previous, digest).change;
}

/** As policyChange, with the widenings it found. */
export function showChange(reader: Pick<StoreReader, "get">, previous: Digest, digest: Digest): ShownChange {
  const without = (change: PolicyChange): ShownChange => ({ change, widenings: [] });
  if (previous === digest) return without(change("equal"));
  const before = storedPolicy(reader, previous);
  const after = storedPolicy(reader, digest);
  if (typeof before === "string") return without(change("undecided", [], before));
  if (typeof after === "string") return without(change("undecided", [], after));
  try {
    const { result, widenings, undecided } = diffPolicies(before, after, budget);
    const classes = [...new Set(widenings.map((one) => one.class))].sort();
    if (result !== "same_or_narrower") return { change: change(result, classes, undecided[0]), widenings };
    return without(change(diffPolicies(after, before, budget).result === "same_or_narrower" ? "equal" : "narrows"));
  } catch {
    // A policy that another build compiled and this one does not, or a fault of the comparison: neither may stop a start.
    return without(change("undecided", [], "the comparison failed"));
  }
}

function change(result: PolicyChange["result"], classes: readonly string[] = [], undecided?: string): PolicyChange {
  return {
    revision: policyChangeRevision,
    result,
    classes: [...classes],
    ...(undecided === undefined ? {} : { undecided: clipText(undecided, 1000) }),
  };
}

/** A stored policy, or why it cannot be compared. */
function storedPolicy(reader: Pick<StoreReader, "get">, digest: Digest): PolicyDocument | string {
  const bytes = reader.get(blobKey(digest));
  if (bytes === undefined || digestOf(bytes) !== digest) return `the policy ${digest} is not kept`;
  if (bytes.length > maxComparedBytes) return `a policy of more than ${maxComparedBytes} bytes`;
  try {
    return parseContract(policySchema, parseCanonical(bytes), "policy");
  } catch (error) {
    if (isExoArmurError(error)) return `the policy ${digest} is not one of rules`;
    throw error;
  }
}
