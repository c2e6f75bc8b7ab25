import { defaultApproverRole, defaultExpirySeconds, type Obligations } from "../contracts/policy.js";
import type { Change, ChangeClass } from "./change.js";
import { compareNarrow } from "./compare-narrow.js";
import type { PolicyOutcome } from "./evaluate.js";

type Decided = Pick<PolicyOutcome, "verdict" | "obligations">;

/** How far a verdict lets an action go: not at all, with a person, or by itself. `defer` resolves to deny. */
const reach = { deny: 0, defer: 0, require_approval: 1, allow: 2 } as const;

/** True unless the decision ends as a deny. */
export function permits({ verdict }: Pick<PolicyOutcome, "verdict">): boolean {
  return reach[verdict] > 0;
}

/**
 * What `after` permits and `before` does not, and the reverse, for one request with this target. Where both deny nothing
 * differs, whatever their rules are; what a deny obliges to has no meaning.
 */
export function compareDecisions(before: Decided, after: Decided, target: string | undefined): Change[] {
  const [from, to] = [reach[before.verdict], reach[after.verdict]];
  if (from === 0 && to === 0) return [];
  const verdicts = `${before.verdict} -> ${after.verdict}`;
  if (from === 0 || to === 0) {
    return [{ class: "permission", direction: from === 0 ? "widens" : "narrows", about: verdicts }];
  }
  const changes: Change[] = [];
  if (from !== to) changes.push({ class: "approvals", direction: from < to ? "widens" : "narrows", about: verdicts });
  else if (from === 1) changes.push(...compareApprovals(before.obligations, after.obligations));
  changes.push(...compareNarrow(before.obligations.narrow, after.obligations.narrow, target));
  return changes;
}

function compareApprovals(before: Obligations, after: Obligations): Change[] {
  const changes: Change[] = [];
  const figure = (name: ChangeClass, old: number, now: number, moreIsWider: boolean): void => {
    if (old === now) return;
    changes.push({
      class: name,
      direction: now > old === moreIsWider ? "widens" : "narrows",
      about: `${old} -> ${now}`,
    });
  };
  figure("approvals", before.approvals ?? 1, after.approvals ?? 1, false);
  const [old, now] = [before, after].map(({ roles }) => roles ?? [defaultApproverRole]) as [string[], string[]];
  const about = `${old.join(", ")} -> ${now.join(", ")}`;
  if (now.some((role) => !old.includes(role))) changes.push({ class: "approvers", direction: "widens", about });
  if (old.some((role) => !now.includes(role))) changes.push({ class: "approvers", direction: "narrows", about });
  figure(
    "expiry",
    before.expiresInSeconds ?? defaultExpirySeconds,
    after.expiresInSeconds ?? defaultExpirySeconds,
    true,
  );
  figure("hold", before.holdSeconds ?? 0, after.holdSeconds ?? 0, false);
  return changes;
}
