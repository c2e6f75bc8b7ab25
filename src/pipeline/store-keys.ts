import { encodeUtf8 } from "../crypto/encoding.js";
import { sha256Hex } from "../crypto/sha256.js";

/**
 * Keys of the pipeline's state in the store (spec/home.md). Names chosen by callers are hashed: keys stay short ASCII,
 * and nothing a caller writes can reach another family.
 */
function hashOf(...names: readonly string[]): string {
  const text = names.map((name) => `${name.length}:${name}`).join("");
  let hash = hashes.get(text);
  if (hash === undefined) {
    hash = sha256Hex(encodeUtf8(text)).slice(0, 40);
    if (hashes.size >= maxHashes) hashes.clear();
    hashes.set(text, hash);
  }
  return hash;
}

/** Hashes made lately: an action asks for those of its chain and its tenant a dozen times. */
const hashes = new Map<string, string>();
const maxHashes = 1024;

/** Decimal of fixed width, so that byte order is numeric order. */
function fixed(value: number): string {
  return String(value).padStart(16, "0");
}

/** Events of one chain, in order of sequence. */
export const eventKeys = {
  one: (tenantId: string, correlationId: string, sequence: number): string =>
    `e/${hashOf(tenantId, correlationId)}/${fixed(sequence)}`,
  range: (tenantId: string, correlationId: string): { gte: string; lt: string } => {
    const prefix = `e/${hashOf(tenantId, correlationId)}`;
    return { gte: `${prefix}/`, lt: `${prefix}0` };
  },
  all: { gte: "e/", lt: "e0" },
  head: (tenantId: string, correlationId: string): string => `c/${hashOf(tenantId, correlationId)}`,
  heads: { gte: "c/", lt: "c0" },
} as const;

/** Where an event is stored, by the index of its leaf in the log (spec/home.md): its type and its key. */
export const positionKeys = {
  one: (index: number): string => `j/${fixed(index)}`,
  all: { gte: "j/", lt: "j0" },
} as const;

/** State document of an intent. */
export const intentKeys = {
  one: (intentId: string): string => `i/${intentId}`,
  all: { gte: "i/", lt: "i0" },
  /** Intents that a crash would leave open, by id. */
  open: (intentId: string): string => `o/${intentId}`,
  opens: { gte: "o/", lt: "o0" },
} as const;

/** Idempotency reservation of (tenant, principal, key). */
export function idempotencyKeyOf(tenantId: string, principal: string, key: string): string {
  return `k/${hashOf(tenantId, principal, key)}`;
}

/** Holder of an effect key. */
export function effectKeyName(tenantId: string, effectKey: string): string {
  return `f/${hashOf(tenantId, effectKey)}`;
}

/** Approval requests by id, and the ids that wait. */
export const approvalKeys = {
  one: (requestId: string): string => `q/${requestId}`,
  all: { gte: "q/", lt: "q0" },
  byDigest: (digest: string): string => `d/${digest.slice(7)}`,
} as const;

/** A material's bytes by digest. */
export function blobKey(digest: string): string {
  return `b/${digest.slice("sha256:".length)}`;
}

/** All materials. */
export const blobKeys = { gte: "b/", lt: "b0" } as const;

/** Signed envelope and log index of an intent's bundle. */
export function bundleKey(intentId: string): string {
  return `p/${intentId}`;
}

/** Shadow decisions of an intent, by the sequence of the enforced decision's event. */
export const shadowKeys = {
  one: (intentId: string, sequence: number): string => `h/${intentId}/${fixed(sequence)}`,
  all: { gte: "h/", lt: "h0" },
} as const;

/** Budget use of a tenant. */
export function budgetKey(tenantId: string): string {
  return `u/${hashOf(tenantId)}`;
}

/** Documents of which there is one. */
export const stateKeys = { keys: "s/keys", killSwitch: "s/kill-switch", policy: "s/policy" } as const;

/** When the order that set an actor's trust score was signed. */
export function trustScoreTimeKey(tenantId: string, actorId: string): string {
  return `${trustScoreKey(tenantId, actorId)}/signed-at`;
}

/** Trust score of an actor, a number from 0 to 1, where an operator set one. */
export function trustScoreKey(tenantId: string, actorId: string): string {
  return `s/trust/${hashOf(tenantId, actorId)}`;
}

/** Proposed policies, by the digest of their document. */
export const proposalKeys = {
  one: (digest: string): string => `r/${digest.slice("sha256:".length)}`,
  all: { gte: "r/", lt: "r0" },
} as const;

/** Nonces of operator orders that were carried out. */
export function orderKey(nonce: string): string {
  return `n/${nonce}`;
}

/** What an executor's name was admitted with last. The name is one that a manifest can have: short and plain. */
export function admittedKey(name: string): string {
  return `a/${name}`;
}
