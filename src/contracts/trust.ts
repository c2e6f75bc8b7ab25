import { z } from "zod";
import { decodeBase64, equalBytes } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { parseVkey } from "../crypto/note-key.js";
import { isExoArmurError } from "../errors.js";
import { base64Schema, countSchema, digestSchema, keyIdSchema, nameSchema } from "./common.js";
import { originSchema } from "./origin.js";
import { type EnvelopeKey, envelopeKeyOf, passkeySchema } from "./passkey.js";
import { actionPatternSchema } from "./policy.js";

/** Roles a key can hold. One key, one role. */
export const roleSchema = z.enum([
  "agent",
  "runtime",
  "log",
  "approver",
  "operator",
  "policy-author",
  "publisher",
  "witness",
  "counterparty",
  "attester",
  "verifier",
  "root",
]);

/** A key's role. */
export type Role = z.infer<typeof roleSchema>;

/** Roles of somebody else: a key that also had another role here would make the deployment's own word look like theirs. */
const foreignRoles = ["counterparty", "attester", "verifier"] as const;

/** Why a key ends, in the words of who ended it. */
export const endReasonSchema = z.string().min(1).max(2000);

/** A trusted key. `from` and `until` are log indexes, inclusive and exclusive; null is open. */
export const trustedKeySchema = z.strictObject({
  role: roleSchema,
  id: nameSchema,
  /** The 32 bytes of an Ed25519 key, or with `passkey` the 33 of a compressed P-256 point. */
  publicKey: base64Schema.length(44),
  /** For approvers, and only for them: the key is a passkey's (spec/keys.md, Passkeys). */
  passkey: passkeySchema.optional(),
  /** Whose key this is; keys of one person count once. Default: the id. */
  person: nameSchema.optional(),
  /** Tenants the key may act for. Default: all. */
  tenants: z.array(nameSchema).min(1).optional(),
  /** For approvers: the roles policies may ask for. Default: approver. */
  roles: z.array(nameSchema).min(1).optional(),
  /** For counterparties, and only for them: whose answers the key signs. */
  origins: z.array(originSchema).min(1).max(100).optional(),
  /** For agents, and only for them: what its signed intents may ask for. */
  actions: z.array(actionPatternSchema).min(1).max(100).optional(),
  from: countSchema.nullable(),
  until: countSchema.nullable(),
  /** Why it ends, for people; only with `until`. */
  reason: endReasonSchema.optional(),
});

/** One key of a trust file. */
export type TrustedKey = z.infer<typeof trustedKeySchema>;

/** An agent's key says what it is for; nothing is open to it by being left out. */
function isAgentsOrWithoutActions({ role, tenants, actions }: TrustedKey): boolean {
  return role === "agent" ? tenants !== undefined && actions !== undefined : actions === undefined;
}

/** Key id of a trust file's entry. */
export function entryKeyId({ publicKey }: Pick<TrustedKey, "publicKey">): string {
  return keyIdOf(decodeBase64(publicKey) ?? new Uint8Array(0));
}

/** Whose key it is: the person it names, else its own id. */
export function personOf({ person, id }: Pick<TrustedKey, "person" | "id">): string {
  return person ?? id;
}

/** True when a key is valid at a place in the log: an index, or the size at which the next leaf would come. */
export function isValidAt({ from, until }: TrustedKey, index: number): boolean {
  return (from ?? 0) <= index && (until === null || index < until);
}

/** Trust file `exoarmur.trust/v1` (spec/keys.md): public keys and what each may do. */
export const trustSchema = z
  .strictObject({
    schema: z.literal("exoarmur.trust/v1"),
    logs: z.array(z.strictObject({ origin: nameSchema, vkey: z.string().min(1).max(400) })),
    keys: z.array(trustedKeySchema),
    witnesses: z.strictObject({ threshold: countSchema, vkeys: z.array(z.string().min(1).max(400)) }),
    policies: z.array(digestSchema).optional(),
    require: z.array(z.enum(["witnessed", "log"])).optional(),
  })
  .refine(({ keys }) => keys.every(({ role, origins }) => (role === "counterparty") === (origins !== undefined)), {
    error: "expected origins with every key of the role counterparty, and with no other",
    path: ["keys"],
  })
  .refine(({ keys }) => keys.every(({ role, passkey }) => passkey === undefined || role === "approver"), {
    error: "expected passkeys only with keys of the role approver",
    path: ["keys"],
  })
  .refine(({ keys }) => keys.every(({ reason, until }) => reason === undefined || until !== null), {
    error: "expected a reason only with keys that end",
    path: ["keys"],
  })
  .refine(({ keys }) => keys.every(isAgentsOrWithoutActions), {
    error: "expected tenants and actions with every key of the role agent, and actions with no other",
    path: ["keys"],
  })
  .superRefine((trust, context) => {
    for (const role of foreignRoles) {
      const keys = trust.keys.filter((key) => key.role === role);
      if (keys.every((key) => !isOurs(trust, key.publicKey, role))) continue;
      const message = `expected keys of the role ${role} that nothing here has another role for, nor a log or witness signs with`;
      context.addIssue({ code: "custom", message, path: ["keys"] });
    }
  })
  .refine((trust) => hasDistinctVerifiers(trust.keys), {
    error: "expected every key of the role verifier once",
    path: ["keys"],
  });

/** Whom a verifier trusts, and for what. */
export type Trust = z.infer<typeof trustSchema>;

/** Public keys of a role that are valid at a log size; `envelopeKey` is the same key as envelopes are opened with. */
export function roleKeys(
  trust: Trust,
  role: Role,
  logSize: number,
): readonly { key: TrustedKey; publicKey: Uint8Array; envelopeKey: EnvelopeKey }[] {
  return trust.keys.flatMap((key) => {
    const publicKey = decodeBase64(key.publicKey);
    return key.role === role && isValidAt(key, logSize) && publicKey !== undefined
      ? [{ key, publicKey, envelopeKey: envelopeKeyOf(publicKey, key.passkey) }]
      : [];
  });
}

/** Verifier keys that a log had before its present one. */
export function formerVkeys({ logs }: Trust, { origin, vkey }: Trust["logs"][number]): string[] {
  return logs.filter((log) => log.origin === origin && log.vkey !== vkey).map((log) => log.vkey);
}

type TrustedKeys = {
  readonly keys: readonly TrustedKey[];
  readonly logs: readonly { readonly vkey: string }[];
  readonly witnesses: { readonly vkeys: readonly string[] };
};

/**
 * True when a key, base64, is one of a trust file in another role than that of somebody else (`foreign`), or that of a log
 * or witness: what it signs is not somebody else's word.
 */
export function isOurs(
  trust: TrustedKeys,
  publicKey: string,
  foreign: (typeof foreignRoles)[number] = "counterparty",
): boolean {
  if (trust.keys.some((key) => key.role !== foreign && key.publicKey === publicKey)) return true;
  const raw = decodeBase64(publicKey) ?? new Uint8Array();
  const vkeys = [...trust.logs.map(({ vkey }) => vkey), ...trust.witnesses.vkeys];
  return vkeys.some((vkey) => equalBytes(keyOfVkey(vkey), raw));
}

/** Each is one voice among many: under two names it would be two. */
function hasDistinctVerifiers(keys: readonly TrustedKey[]): boolean {
  const verifiers = keys.filter(({ role }) => role === "verifier").map(({ publicKey }) => publicKey);
  return new Set(verifiers).size === verifiers.length;
}

/** A malformed verifier key is refused where it is read. */
function keyOfVkey(vkey: string): Uint8Array {
  try {
    return parseVkey(vkey).publicKey;
  } catch (error) {
    if (isExoArmurError(error)) return new Uint8Array();
    throw error;
  }
}

/** A key file of the home (spec/keys.md). `seed` is the 32-byte Ed25519 seed, base64. */
export const keyFileSchema = z.strictObject({
  schema: z.literal("exoarmur.key/v1"),
  role: roleSchema,
  id: nameSchema,
  keyId: keyIdSchema,
  publicKey: base64Schema.length(44),
  seed: base64Schema.length(44),
});

/** A private key as stored on disk. */
export type KeyFile = z.infer<typeof keyFileSchema>;
