import { z } from "zod";
import { decodeBase64Url, encodeBase64Url } from "../crypto/encoding.js";
import { sha256Hex } from "../crypto/sha256.js";
import { actorSchema, digestSchema, keyIdSchema, nameSchema, saltSchema, timeSchema, ulidSchema } from "./common.js";
import { actionPatternSchema } from "./policy.js";
import type { Role } from "./trust.js";

/** What somebody may do at the control plane. One request may need one of several. */
export const controlRoles = ["agent", "monitor", "viewer", "approver", "policy-author", "admin"] as const;

/** A role at the control plane. */
export type ControlRole = (typeof controlRoles)[number];

/** Roles of the trust file whose keys open a session, and what the session may do (spec/control-plane.md, Roles). */
export const sessionRoles = {
  agent: ["agent"],
  approver: ["viewer", "approver"],
  "policy-author": ["viewer", "policy-author"],
  operator: ["viewer", "admin"],
} as const satisfies Partial<Record<Role, readonly ControlRole[]>>;

/** A trust-file role that opens a session. */
export type SessionRole = keyof typeof sessionRoles;

/** The same as a schema. */
export const sessionRoleSchema = z.enum(["agent", "approver", "policy-author", "operator"]);

/**
 * What an operator signs to open a session, as DSSE over its canonical bytes. `audience` is the control plane's origin,
 * such as `http://127.0.0.1:7411`; a signer refuses another one than it talks to.
 */
export const challengeSchema = z.strictObject({
  schema: z.literal("exoarmur.control-challenge/v1"),
  audience: z.string().min(1).max(300),
  cellId: nameSchema,
  keyId: keyIdSchema,
  role: sessionRoleSchema,
  issuedAt: timeSchema,
  expiresAt: timeSchema,
  /** 16 random bytes and the issuer's own seal over everything else. */
  nonce: saltSchema,
});

/** A challenge. */
export type Challenge = z.infer<typeof challengeSchema>;

/** What a token is for: one agent's actions, the metrics of the whole cell and nothing else, or reading. */
export const tokenGrantSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("agent"),
    /** Whom its intents are by. */
    actor: actorSchema,
    /** Actions that its intents may ask for; policy judges them all the same. */
    actions: z.array(actionPatternSchema).min(1).max(100),
  }),
  z.strictObject({ kind: z.literal("monitor") }),
  z.strictObject({ kind: z.literal("viewer") }),
]);

/** What a token is for. */
export type TokenGrant = z.infer<typeof tokenGrantSchema>;

/** A token as it is kept: everything but its secret, of which only the digest is. */
export const tokenSchema = z.strictObject({
  schema: z.literal("exoarmur.token/v1"),
  tokenId: ulidSchema,
  tenantId: nameSchema,
  grant: tokenGrantSchema,
  secretDigest: digestSchema,
  createdAt: timeSchema,
  expiresAt: timeSchema,
  revokedAt: timeSchema.nullable(),
});

/** A token as it is kept. */
export type TokenRecord = z.infer<typeof tokenSchema>;

/** Kinds of bearer credentials: a session of an operator, a token of an agent or a reader. */
export type BearerKind = "session" | "token";

/** A bearer credential taken apart. */
export type Bearer = { readonly kind: BearerKind; readonly id: string; readonly secret: Uint8Array };

const prefixes: Readonly<Record<BearerKind, string>> = { session: "exoarmur_session_", token: "exoarmur_token_" };
const bearerForm = /^exoarmur_(session|token)_([0-7][0-9A-HJKMNP-TV-Z]{25})_([A-Za-z0-9_-]{43})$/;

/** A bearer credential as one text: kind, id, and 32 secret bytes as base64url. */
export function formatBearer({ kind, id, secret }: Bearer): string {
  return `${prefixes[kind]}${id}_${encodeBase64Url(secret)}`;
}

/** A bearer credential taken apart, or undefined for any other text. */
export function parseBearer(text: string): Bearer | undefined {
  const [, kind, id, encoded] = bearerForm.exec(text) ?? [];
  const secret = encoded === undefined ? undefined : decodeBase64Url(encoded);
  if (id === undefined || secret === undefined) return undefined;
  return { kind: kind === "session" ? "session" : "token", id, secret };
}

/** What is kept of a secret. It is 32 random bytes, so that a plain digest cannot be guessed back. */
export function secretDigestOf(secret: Uint8Array): `sha256:${string}` {
  return `sha256:${sha256Hex(secret)}`;
}
