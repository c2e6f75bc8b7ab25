import type { RosterEntry } from "../contracts/approval.js";
import type { ActionIntent, Requester } from "../contracts/intent.js";
import { defaultApproverRole } from "../contracts/policy.js";
import { isValidAt, personOf, type Trust, type TrustedKey } from "../contracts/trust.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { excludedNames, holdersOf } from "./exclusion.js";

/** Whom to look for. `roles`: any of them will do. `logSize`: entries in the log now, for the keys' validity. */
export type RosterInput = {
  readonly trust: Trust;
  readonly requester: Requester;
  readonly actor: ActionIntent["actor"];
  readonly tenantId: string;
  readonly roles: readonly string[];
  readonly logSize: number;
};

/**
 * Who may decide a request (spec/approval.md, roster): the people behind the approver keys that are valid now, may act
 * for the tenant and hold an asked role. `id` is the person, else the key's own id. Left out: the principal,
 * onBehalfOf, the actor, everybody who holds a key of theirs in any role, and a key listed for two people. Sorted.
 */
export function buildRoster(input: RosterInput): RosterEntry[] {
  const { trust, roles, tenantId, logSize } = input;
  const keys = trust.keys.flatMap((key) => {
    const raw = decodeBase64(key.publicKey);
    return raw === undefined ? [] : [{ key, keyId: keyIdOf(raw), person: personOf(key) }];
  });
  const excluded = excludedNames(input.requester, input.actor.id);
  const barred = new Set([...excluded, ...holdersOf(trust.keys, excluded)]);
  const owner = new Map<string, string>();
  const shared = new Set<string>();
  for (const { keyId, person } of keys) {
    if (owner.has(keyId) && owner.get(keyId) !== person) shared.add(keyId);
    owner.set(keyId, person);
  }
  const people = new Map<string, { keyIds: Set<string>; roles: Set<string> }>();
  for (const { key, keyId, person } of keys) {
    const held = (key.roles ?? [defaultApproverRole]).filter((role) => roles.includes(role));
    if (held.length === 0 || barred.has(person) || shared.has(keyId) || !mayApprove(key, tenantId, logSize)) continue;
    const entry = people.get(person) ?? { keyIds: new Set(), roles: new Set() };
    entry.keyIds.add(keyId);
    for (const role of held) entry.roles.add(role);
    people.set(person, entry);
  }
  return [...people]
    .map(([id, entry]) => ({ id, keyIds: [...entry.keyIds].sort(), roles: [...entry.roles].sort() }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function mayApprove(key: TrustedKey, tenantId: string, logSize: number): boolean {
  if (key.role !== "approver") return false;
  if (key.tenants !== undefined && !key.tenants.includes(tenantId)) return false;
  return isValidAt(key, logSize);
}
