import type { Requester } from "../contracts/intent.js";
import { entryKeyId, personOf, type TrustedKey } from "../contracts/trust.js";

/** Names that may not approve: the principal, whom it acts for, and the actor. */
export function excludedNames(requester: Requester, actorId: string): ReadonlySet<string> {
  const names = new Set([requester.principal, actorId]);
  if (requester.onBehalfOf !== undefined) names.add(requester.onBehalfOf);
  return names;
}

/** People who hold a key, of any role and validity, that goes by one of these names: by its id or its key id. */
export function holdersOf(keys: readonly TrustedKey[], names: ReadonlySet<string>): ReadonlySet<string> {
  return new Set(keys.filter((key) => names.has(key.id) || names.has(entryKeyId(key))).map(personOf));
}
