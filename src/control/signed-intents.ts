import { parseCanonical } from "../canonical/read.js";
import { parseTime } from "../canonical/time.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import {
  type IntentSubmission,
  maxSignedIntentMs,
  type SignedIntent,
  signedIntentSchema,
} from "../contracts/signed-intent.js";
import { roleKeys, type Trust } from "../contracts/trust.js";
import { keyIdOf } from "../crypto/key-id.js";
import { isExoArmurError } from "../errors.js";
import type { Clock } from "../ports.js";
import { type Unproven, unproven } from "./authenticator.js";
import { type Principal, principalOfAgentKey } from "./principal.js";

/** How far ahead an agent's clock may be, in milliseconds. */
const skewMs = 60_000;

/** What a signed intent is judged by. */
export type SignedIntentPorts = {
  readonly clock: Clock;
  readonly trust: Trust;
  readonly cellId: string;
  /** Leaves in the log: what a key's validity is judged by. */
  readonly logSize: () => number;
};

/** Whose intent it is, or why it does not count. */
export type ProvenIntent =
  | { readonly proven: true; readonly principal: Principal; readonly intent: IntentSubmission }
  | Unproven;

/**
 * Proves a signed intent that came to an origin: one signature, by the agent's key it names, which counts at the present
 * size of the log; for this origin and cell; within its time. EXO_AUTHENTICATION.
 */
export function proveIntent(envelope: Envelope, audience: string, ports: SignedIntentPorts): ProvenIntent {
  const { trust, cellId, logSize, clock } = ports;
  const held = roleKeys(trust, "agent", logSize());
  const opened = openEnvelope(
    envelope,
    payloadTypes.signedIntent,
    held.map(({ publicKey }) => publicKey),
  );
  if (!opened.ok) return unproven("signature", opened.error.message);
  const [signer, second] = opened.value.signers;
  const holder = held.find(({ publicKey }) => keyIdOf(publicKey) === signer?.keyId);
  if (signer === undefined || second !== undefined || holder === undefined) {
    return unproven("signature", "an intent is signed once, by the key it names");
  }
  const read = readSigned(opened.value.payload);
  if ("why" in read) return unproven("malformed", read.why, signer.keyId);
  const refusal = refusalOf(read, { audience, cellId, keyId: signer.keyId, now: clock.now() });
  if (refusal !== null) return unproven(refusal[0], refusal[1], signer.keyId);
  return { proven: true, principal: principalOfAgentKey(holder.key, signer.keyId, null), intent: read.intent };
}

type Expected = {
  readonly audience: string;
  readonly cellId: string;
  readonly keyId: string;
  readonly now: number;
};

function refusalOf(
  signed: SignedIntent,
  { audience, cellId, keyId, now }: Expected,
): readonly ["malformed" | "expired", string] | null {
  if (signed.keyId !== keyId) return ["malformed", "the intent names another key than signed it"];
  if (signed.audience !== audience) return ["malformed", "the intent was signed for another origin"];
  if (signed.cellId !== cellId) return ["malformed", "the intent was signed for another cell"];
  const [from, until] = [parseTime(signed.signedAt), parseTime(signed.expiresAt)];
  if (until <= from || until - from > maxSignedIntentMs) {
    return ["malformed", `expected expiresAt after signedAt, by at most ${maxSignedIntentMs / 1000} s`];
  }
  if (from > now + skewMs) return ["malformed", `the intent was signed at ${signed.signedAt}, which is yet to come`];
  if (until <= now) return ["expired", `what was signed counted until ${signed.expiresAt}; sign it again`];
  return null;
}

function readSigned(payload: Uint8Array): SignedIntent | { readonly why: string } {
  try {
    return parseContract(signedIntentSchema, parseCanonical(payload), "signed intent");
  } catch (error) {
    if (isExoArmurError(error)) return { why: error.message };
    throw error;
  }
}
