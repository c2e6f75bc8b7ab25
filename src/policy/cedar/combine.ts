import { canonicalText } from "../../canonical/jcs.js";
import { defaultApproverRole, defaultExpirySeconds, type Obligations } from "../../contracts/policy.js";
import type { CedarRule } from "./annotations.js";

/** Strictest first. */
const order = ["defer", "require_approval", "allow"] as const;

/** What permits that decide together come to; `problem`: what they ask for cannot be had at once. */
export type Combined =
  | { readonly verdict: (typeof order)[number]; readonly obligations: Obligations }
  | { readonly problem: string };

/**
 * Combines the permits that determined an allow (spec/policy-cedar.md, Precedence): the strictest verdict, the most
 * approvals, the shortest time, the longest hold, the roles all name, every narrowing. Where two cannot both be met nothing is chosen.
 */
export function combinePermits(permits: readonly CedarRule[]): Combined {
  const verdict = order.find((one) => permits.some((permit) => permit.verdict === one)) ?? "defer";
  if (verdict === "defer") return { verdict, obligations: {} };
  const asking = permits.filter((permit) => permit.verdict === "require_approval").map((one) => one.obligations);
  const roles = rolesOf(asking);
  if (roles?.length === 0) return { problem: "they ask for approvers of no common role" };
  const narrow = narrowOf(permits.map(({ obligations }) => obligations));
  if (typeof narrow === "string") return { problem: `they narrow ${narrow} differently` };
  return {
    verdict,
    obligations: {
      ...figure("approvals", asking, (one) => one.approvals, 1, Math.max),
      ...(roles === undefined ? {} : { roles }),
      ...figure("expiresInSeconds", asking, (one) => one.expiresInSeconds, defaultExpirySeconds, Math.min),
      ...figure("holdSeconds", asking, (one) => one.holdSeconds, 0, Math.max),
      ...(narrow === undefined ? {} : { narrow }),
    },
  };
}

/** A figure that some name; those who name none ask for the default. Absent when none names it. */
function figure(
  name: "approvals" | "expiresInSeconds" | "holdSeconds",
  asking: readonly Obligations[],
  read: (one: Obligations) => number | undefined,
  otherwise: number,
  choose: (...values: number[]) => number,
): Obligations {
  if (asking.every((one) => read(one) === undefined)) return {};
  return { [name]: choose(...asking.map((one) => read(one) ?? otherwise)) };
}

function rolesOf(asking: readonly Obligations[]): string[] | undefined {
  const named = asking.map(({ roles }) => roles);
  const [first, ...others] = named;
  if (named.every((roles) => roles === undefined)) return undefined;
  const common = [...new Set(first ?? [defaultApproverRole])].filter((role) =>
    others.every((roles) => (roles ?? [defaultApproverRole]).includes(role)),
  );
  return others.length === 0 ? first : common.sort();
}

/** Every narrowing together, undefined when there is none, or the capability about which two differ. */
function narrowOf(all: readonly Obligations[]): Obligations["narrow"] | string {
  const found = new Map<string, NonNullable<Obligations["narrow"]>[string]>();
  for (const { narrow = {} } of all) {
    for (const [capability, constraints] of Object.entries(narrow)) {
      const before = found.get(capability);
      if (before !== undefined && canonicalText(before) !== canonicalText(constraints)) return capability;
      found.set(capability, constraints);
    }
  }
  return found.size === 0 ? undefined : Object.fromEntries(found);
}
