import { digestOf } from "../canonical/digest.js";
import { canonicalText } from "../canonical/jcs.js";
import { type CanonicalEvent, eventPayloads } from "../contracts/event.js";
import { policyChangeRevision } from "../contracts/policy-change.js";
import { policyChange } from "../pipeline/policy-change.js";
import { blobKey } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";

/** What an audit of the policy changes found; `told` is the number of those that say how they differ. */
export type PoliciesAudit = { readonly problems: readonly string[]; readonly told: number; readonly others: number };

/**
 * Compares the recorded policies again wherever a `policy_changed` event says how the new one differs from the one before
 * (spec/what-if.md, Policy diff). What another revision told is counted in `others` and not judged.
 */
export function auditPolicies(store: StoreReader, events: readonly CanonicalEvent[]): PoliciesAudit {
  const problems: string[] = [];
  let [told, others] = [0, 0];
  for (const event of events) {
    if (event.eventType !== "policy_changed") continue;
    // A payload of another shape is the chain's finding.
    const { data } = eventPayloads.policy_changed.safeParse(event.payload);
    if (data?.change === undefined) continue;
    const { policyId, version, previous, policyDigest, change } = data;
    told += 1;
    const name = `${policyId} version ${version}`;
    if (previous === null) {
      problems.push(`${name} is told to differ from a policy before it, and there was none`);
      continue;
    }
    if (change.revision !== policyChangeRevision) {
      others += 1;
      continue;
    }
    const missing = [previous, policyDigest].find((digest) => !isKept(store, digest));
    if (missing !== undefined) problems.push(`${name} cannot be compared again: the policy ${missing} is not kept`);
    else {
      const again = policyChange(store, previous, policyDigest);
      if (canonicalText(again) !== canonicalText(change))
        problems.push(`${name} is recorded as ${textOf(change)}, the policies say ${textOf(again)}`);
    }
  }
  return { problems, told, others };
}

function isKept(store: StoreReader, digest: string): boolean {
  const bytes = store.get(blobKey(digest));
  return bytes !== undefined && digestOf(bytes) === digest;
}

function textOf({ result, classes }: { readonly result: string; readonly classes: readonly string[] }): string {
  return [result, ...classes].join(" ");
}
