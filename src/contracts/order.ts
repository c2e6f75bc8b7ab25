import { z } from "zod";
import type { Digest } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { formatTime } from "../canonical/time.js";
import { encodeBase64Url } from "../crypto/encoding.js";
import type { Clock, Entropy, Signer } from "../ports.js";
import { digestSchema, nameSchema, operatorSchema, saltSchema, timeSchema, ulidSchema } from "./common.js";
import { type Envelope, signEnvelope } from "./dsse.js";
import { resolutionOutcomeSchema } from "./event.js";

/** An operator's order to switch a kill switch. `nonce` makes every order one of a kind: a second arrival is ignored. */
export const killSwitchOrderSchema = z.strictObject({
  schema: z.literal("exoarmur.kill-switch/v1"),
  cellId: nameSchema,
  scope: z.enum(["global", "tenant"]),
  tenantId: nameSchema.nullable(),
  on: z.boolean(),
  operator: operatorSchema,
  nonce: saltSchema,
  signedAt: timeSchema,
});

/** A kill-switch order. */
export type KillSwitchOrder = z.infer<typeof killSwitchOrderSchema>;

/** What a kill-switch order says before somebody signs it. A null tenant is the switch for every tenant. */
export function killSwitchOrder(
  cellId: string,
  tenantId: string | null,
  on: boolean,
): Omit<KillSwitchOrder, "operator" | "nonce" | "signedAt"> {
  const schema = killSwitchOrderSchema.shape.schema.value;
  return { schema, cellId, scope: tenantId === null ? "global" : "tenant", tenantId, on };
}

/** An operator's order to set how far an actor of one tenant is trusted: below 0.5 a person is asked for every action. */
export const trustScoreOrderSchema = z.strictObject({
  schema: z.literal("exoarmur.trust-score/v1"),
  cellId: nameSchema,
  tenantId: nameSchema,
  actorId: nameSchema,
  score: z.number().min(0).max(1),
  operator: operatorSchema,
  nonce: saltSchema,
  signedAt: timeSchema,
});

/** A trust-score order. */
export type TrustScoreOrder = z.infer<typeof trustScoreOrderSchema>;

/**
 * A policy author's order to put a proposed policy in force. `replaces` is the policy in force when it was signed: an order
 * does not take effect over a change that its author has not seen.
 */
export const policyActivationSchema = z.strictObject({
  schema: z.literal("exoarmur.policy-activation/v1"),
  cellId: nameSchema,
  policyDigest: digestSchema,
  replaces: digestSchema,
  operator: operatorSchema,
  nonce: saltSchema,
  signedAt: timeSchema,
});

/** An order to put a proposed policy in force. */
export type PolicyActivation = z.infer<typeof policyActivationSchema>;

/** What an order to put a proposed policy in force says before its author signs it. */
export function activationOrder(
  cellId: string,
  policyDigest: Digest,
  replaces: Digest,
): Omit<PolicyActivation, "operator" | "nonce" | "signedAt"> {
  return { schema: policyActivationSchema.shape.schema.value, cellId, policyDigest, replaces };
}

/** An operator's statement of how an in-doubt action ended, with the digests of what shows it. */
export const resolutionOrderSchema = z.strictObject({
  schema: z.literal("exoarmur.resolution/v1"),
  cellId: nameSchema,
  intentId: ulidSchema,
  outcome: resolutionOutcomeSchema,
  evidence: z.array(digestSchema).min(1).max(100),
  operator: operatorSchema,
  nonce: saltSchema,
  signedAt: timeSchema,
});

/** A resolution order. */
export type ResolutionOrder = z.infer<typeof resolutionOrderSchema>;

/** The present time and a fresh nonce, as every signed order and grant carries them. */
export function stampOf({ clock, entropy }: { readonly clock: Clock; readonly entropy: Entropy }): {
  readonly signedAt: string;
  readonly nonce: string;
} {
  return { signedAt: formatTime(clock.now()), nonce: encodeBase64Url(entropy.bytes(32)) };
}

/** An operator's order as a signed envelope: `order` with operator, nonce and time added. */
export async function signOrder(
  ports: { readonly clock: Clock; readonly entropy: Entropy },
  by: { readonly id: string; readonly signer: Signer },
  payloadType: string,
  order: Readonly<Record<string, unknown>>,
): Promise<Envelope> {
  const operator = { id: by.id, keyId: by.signer.keyId };
  return await signEnvelope(payloadType, canonicalize({ ...order, operator, ...stampOf(ports) }), by.signer);
}
