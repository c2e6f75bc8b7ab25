import { z } from "zod";
import { readJson } from "../canonical/read.js";
import { preAuthEncode } from "../crypto/dsse.js";
import { admitPublicKey, verifyEd25519 } from "../crypto/ed25519.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import type { SignedAnswer } from "../ports.js";
import { base64Schema } from "./common.js";
import { checkMessageSignature, type Exchange, type SignatureTimes } from "./http-signature.js";

/** A DSSE envelope as others make it: key ids are theirs and only hints, and members we do not know say nothing. */
const foreignEnvelopeSchema = z.object({
  payloadType: z.string(),
  payload: base64Schema,
  signatures: z
    .array(z.object({ sig: base64Schema }))
    .min(1)
    .max(100),
});

/**
 * Is an answer signed as its assurance says (spec/capabilities.md, Assurance)? Gives the times that are signed with it,
 * null for a DSSE envelope, which has none. EXO_ANSWER_SIGNATURE, EXO_KEY_REFUSED.
 *
 * @param publicKey the counterparty's; null: everything but the signature is checked
 */
export function checkSignedAnswer(
  signed: SignedAnswer,
  exchange: Exchange,
  publicKey: Uint8Array | null,
): Result<SignatureTimes | null> {
  if (signed.scheme === "http-message-signature") return checkMessageSignature(signed, exchange, publicKey);
  const envelope = readEnvelope(exchange.body);
  if (envelope === undefined) return wrong("is no DSSE envelope");
  if (envelope.payloadType !== signed.payloadType) return wrong("is an envelope of another payload type");
  if (publicKey === null) return ok(null);
  const admitted = admitPublicKey(publicKey);
  if (!admitted.ok) return admitted;
  const payload = decodeBase64(envelope.payload);
  const message = payload === undefined ? undefined : preAuthEncode(envelope.payloadType, payload);
  const holds = envelope.signatures.some(({ sig }) => {
    const signature = decodeBase64(sig);
    return message !== undefined && signature?.length === 64 && verifyEd25519(publicKey, message, signature);
  });
  return holds ? ok(null) : wrong(`has no signature that verifies under the key ${signed.keyId}`);
}

/** Seconds by which the clocks of a counterparty and of the runtime may differ. */
const clockSkew = 300;

/**
 * What is wrong with the times of a signature on an answer that came between two times of the runtime's clock;
 * undefined if nothing. A signature made long before the call is an old answer, sent again.
 *
 * @param from no later than the request, in milliseconds
 * @param until no earlier than the answer, in milliseconds
 */
export function timeFault({ created, expires }: SignatureTimes, from: number, until: number): string | undefined {
  if (created * 1000 < from - clockSkew * 1000) return "was signed before it was asked for";
  if (created * 1000 > until + clockSkew * 1000) return "is signed for the future";
  return expires !== null && expires * 1000 < from ? "has a signature that had expired" : undefined;
}

function readEnvelope(body: Uint8Array): z.infer<typeof foreignEnvelopeSchema> | undefined {
  try {
    return foreignEnvelopeSchema.safeParse(readJson(body)).data;
  } catch (error) {
    if (isExoArmurError(error)) return undefined;
    throw error;
  }
}

function wrong(what: string): Result<never> {
  return refuse("EXO_ANSWER_SIGNATURE", `the answer ${what}`);
}
