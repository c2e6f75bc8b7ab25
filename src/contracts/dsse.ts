import { z } from "zod";
import { parseCanonical } from "../canonical/read.js";
import { preAuthEncode } from "../crypto/dsse.js";
import { admitPublicKey, verifyEd25519 } from "../crypto/ed25519.js";
import { decodeBase64, encodeBase64 } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { ok, type Result, refuse } from "../errors.js";
import type { Signer } from "../ports.js";
import { assertionSchema, checkAssertion } from "./assertion.js";
import { base64Schema, keyIdSchema } from "./common.js";
import { type EnvelopeKey, publicKeyOfEnvelopeKey } from "./passkey.js";

/** Payload types of everything this project signs as DSSE. */
export const payloadTypes = {
  statement: "application/vnd.in-toto+json",
  approvalGrant: "application/vnd.exoarmur.approval-grant+json",
  policy: "application/vnd.exoarmur.policy+json",
  policyActivation: "application/vnd.exoarmur.policy-activation+json",
  manifest: "application/vnd.exoarmur.executor+json",
  killSwitch: "application/vnd.exoarmur.kill-switch+json",
  trustScore: "application/vnd.exoarmur.trust-score+json",
  resolution: "application/vnd.exoarmur.resolution+json",
  notification: "application/vnd.exoarmur.notification+json",
  challenge: "application/vnd.exoarmur.control-challenge+json",
  signedIntent: "application/vnd.exoarmur.signed-intent+json",
  materialsDrop: "application/vnd.exoarmur.materials-drop+json",
} as const;

/**
 * DSSE envelope: standard padded base64, every signature 64 bytes; or, with `webauthn`, a passkey's in DER, which is over
 * the assertion (spec/approval.md, Passkeys).
 */
export const envelopeSchema = z.strictObject({
  payloadType: z.string().min(1).max(200),
  payload: base64Schema,
  signatures: z
    .array(z.strictObject({ keyid: keyIdSchema, sig: base64Schema, webauthn: assertionSchema.optional() }))
    .min(1)
    .max(100),
});

/** A DSSE envelope as JSON. */
export type Envelope = z.infer<typeof envelopeSchema>;

/** Signs `payload` under `payloadType` with one key. */
export async function signEnvelope(payloadType: string, payload: Uint8Array, signer: Signer): Promise<Envelope> {
  const sig = await signer.sign(preAuthEncode(payloadType, payload));
  return {
    payloadType,
    payload: encodeBase64(payload),
    signatures: [{ keyid: signer.keyId, sig: encodeBase64(sig) }],
  };
}

/** A key whose signature on an envelope verified. */
export type EnvelopeSigner = { readonly keyId: string; readonly publicKey: Uint8Array };

/**
 * What passkeys sign. A passkey's challenge covers the payload and not its type, so these are documents that name their
 * own contract, and no other type opens under one.
 */
const passkeyTypes: readonly string[] = [payloadTypes.approvalGrant, payloadTypes.challenge];

/**
 * Opens an envelope: the payload type must be the expected one, no signer may appear twice, and every signature must
 * be by one of `keys` and verify. Key ids are hints: the key is found by id, then admitted and used whole.
 *
 * @returns the payload bytes and the signers, or EXO_ENVELOPE, EXO_TRUST (no such key), EXO_KEY_REFUSED, EXO_SIGNATURE,
 * EXO_PASSKEY.
 */
export function openEnvelope(
  envelope: Envelope,
  payloadType: string,
  keys: readonly EnvelopeKey[],
): Result<{ payload: Uint8Array; signers: readonly EnvelopeSigner[] }> {
  if (envelope.payloadType !== payloadType) {
    return refuse("EXO_ENVELOPE", `expected payload type ${payloadType}, got ${envelope.payloadType}`);
  }
  const payload = decodeBase64(envelope.payload);
  if (payload === undefined) return refuse("EXO_ENVELOPE", "the payload is not standard padded base64");
  const signers: EnvelopeSigner[] = [];
  for (const signature of envelope.signatures) {
    const { keyid } = signature;
    if (signers.some((signer) => signer.keyId === keyid)) {
      return refuse("EXO_ENVELOPE", `key ${keyid} signs twice`);
    }
    const key = keys.find((one) => keyIdOf(publicKeyOfEnvelopeKey(one)) === keyid);
    if (key === undefined) return refuse("EXO_TRUST", `no trusted key has the id ${keyid}`);
    const checked = checkSignature(key, payloadType, payload, signature);
    if (!checked.ok) return checked;
    signers.push({ keyId: keyid, publicKey: publicKeyOfEnvelopeKey(key) });
  }
  return ok({ payload, signers });
}

function checkSignature(
  key: EnvelopeKey,
  payloadType: string,
  payload: Uint8Array,
  { keyid, sig, webauthn }: Envelope["signatures"][number],
): Result<void> {
  const signature = decodeBase64(sig) ?? new Uint8Array(0);
  if (key instanceof Uint8Array) {
    if (webauthn !== undefined) return refuse("EXO_ENVELOPE", `key ${keyid} is no passkey, and signs as one`);
    const admitted = admitPublicKey(key);
    if (!admitted.ok) return admitted;
    return signature.length === 64 && verifyEd25519(key, preAuthEncode(payloadType, payload), signature)
      ? ok(undefined)
      : refuse("EXO_SIGNATURE", `the signature by key ${keyid} does not verify`);
  }
  if (webauthn === undefined) return refuse("EXO_ENVELOPE", `key ${keyid} is a passkey, and does not sign as one`);
  if (!passkeyTypes.includes(payloadType)) return refuse("EXO_ENVELOPE", `a passkey does not sign ${payloadType}`);
  return checkAssertion(key, payload, webauthn, signature);
}

/** Reads an envelope from its canonical bytes. Throws EXO_JSON_* or EXO_SCHEMA. */
export function parseEnvelope(bytes: Uint8Array): Result<Envelope> {
  const parsed = envelopeSchema.safeParse(parseCanonical(bytes, { maxBytes: 16_777_216 }));
  if (!parsed.success) return refuse("EXO_ENVELOPE", "the bytes are not a DSSE envelope");
  return ok(parsed.data);
}
