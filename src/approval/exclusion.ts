import type { Requester } from "../contracts/intent.js";

/** Names that may not approve: the principal, whom it acts for, and the actor. */
export function excludedNames(requester: Requester, actorId: string): ReadonlySet<string> {
  const names = new Set([requester.principal, actorId]);
  if (requester.onBehalfOf !== undefined) names.add(requester.onBehalfOf);
  return names;
}
