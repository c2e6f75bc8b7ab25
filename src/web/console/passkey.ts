/** Passkeys in a browser: making one, and signing decisions and challenges with it (spec/approval.md, Passkeys). */
import { makeGrant } from "../../approval/sign.js";
import { canonicalize } from "../../canonical/jcs.js";
import { formatTime } from "../../canonical/time.js";
import { type Challenge, challengeSchema } from "../../contracts/access.js";
import type { ApprovalGrant, ApprovalRequest } from "../../contracts/approval.js";
import { parseContract } from "../../contracts/common.js";
import { type Envelope, openEnvelope, payloadTypes } from "../../contracts/dsse.js";
import { envelopeKeyOf, type Passkey } from "../../contracts/passkey.js";
import { entryKeyId, personOf, type TrustedKey, trustedKeySchema } from "../../contracts/trust.js";
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url, encodeUtf8 } from "../../crypto/encoding.js";
import { admitP256Key } from "../../crypto/p256.js";
import { compressSpki } from "../../crypto/p256-encoding.js";
import { systemEntropy } from "../../crypto/random.js";
import { sha256 } from "../../crypto/sha256.js";
import { ExoArmurError } from "../../errors.js";

/** COSE's number for ECDSA with SHA-256 on P-256. */
const es256 = -7;

/** An approver's entry of a trust file whose key is a passkey. */
export type PasskeyEntry = TrustedKey & { readonly passkey: Passkey };

/** For whom a passkey is made. `id` is the name in the trust file, `name` what the browser shows (default: the id). */
export type PasskeyUser = { readonly id: string; readonly name?: string; readonly person?: string };

/**
 * Makes a passkey for this page's origin and gives the entry that `exoarmur keys trust add` takes: it counts once whoever
 * keeps the trust file has entered it. Needs a click before it. `rpId` is this page's host or a domain above it. Throws
 * what `navigator.credentials.create` throws (NotAllowedError when the person declines), EXO_KEY for a key that is not
 * one of P-256, EXO_SCHEMA.
 */
export async function createPasskey(options: {
  readonly rpId: string;
  readonly user: PasskeyUser;
}): Promise<PasskeyEntry> {
  const { rpId, user } = options;
  const made = await navigator.credentials.create({
    publicKey: {
      rp: { id: rpId, name: "ExoArmur" },
      // At most 64 bytes, which an id may exceed.
      user: {
        id: bufferOf(sha256(encodeUtf8(user.id))),
        name: user.name ?? user.id,
        displayName: user.name ?? user.id,
      },
      // Nothing is judged by it: that the key is this person's is vouched for by whoever enters it into the trust file.
      challenge: bufferOf(systemEntropy.bytes(32)),
      pubKeyCredParams: [{ type: "public-key", alg: es256 }],
      authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
      attestation: "none",
    },
  });
  if (!(made instanceof PublicKeyCredential) || !(made.response instanceof AuthenticatorAttestationResponse)) {
    throw new ExoArmurError("EXO_KEY", "the browser made no passkey");
  }
  const spki = made.response.getPublicKey();
  const publicKey = spki === null ? undefined : compressSpki(new Uint8Array(spki));
  if (publicKey === undefined) throw new ExoArmurError("EXO_KEY", "expected a passkey with a key of the curve P-256");
  const admitted = admitP256Key(publicKey);
  if (!admitted.ok) throw new ExoArmurError(admitted.error.code, admitted.error.message);
  const credentialId = encodeBase64Url(new Uint8Array(made.rawId));
  return readPasskeyEntry({
    role: "approver",
    id: user.id,
    publicKey: encodeBase64(admitted.value),
    passkey: { credentialId, rpId, origins: [location.origin] },
    ...(user.person === undefined ? {} : { person: user.person }),
    from: null,
    until: null,
  });
}

/** Reads an entry of a trust file that is to be a passkey's, such as one that the page has kept. EXO_SCHEMA. */
export function readPasskeyEntry(value: unknown): PasskeyEntry {
  const entry = parseContract(trustedKeySchema, value, "passkey entry");
  const { passkey } = entry;
  if (passkey === undefined) throw new ExoArmurError("EXO_SCHEMA", "expected an entry with a passkey");
  return { ...entry, passkey };
}

/** A decision on a request. `reason` is mandatory for a deny. */
export type PasskeyDecision = { readonly decision: ApprovalGrant["decision"]; readonly reason?: string };

/**
 * Signs a decision on a request with a passkey: the browser asks the person for PIN or biometrics, over the SHA-256 of the
 * canonical grant. Nothing is sent. Throws what makeGrant throws (EXO_APPROVAL_*, EXO_ORDER, EXO_SCHEMA), what
 * `navigator.credentials.get` throws, and the refusals of openEnvelope when the answer would count nowhere.
 */
export async function signGrantWithPasskey(
  request: ApprovalRequest,
  { decision, reason }: PasskeyDecision,
  entry: PasskeyEntry,
): Promise<Envelope> {
  const grant = makeGrant(request, {
    keyId: entryKeyId(entry),
    approverId: personOf(entry),
    decision,
    ...(reason === undefined ? {} : { reason }),
    signedAt: formatTime(Date.now()),
    nonce: encodeBase64Url(systemEntropy.bytes(32)),
  });
  return await sign(payloadTypes.approvalGrant, canonicalize(grant), entry);
}

/**
 * Signs a challenge of the control plane that served this page (spec/control-plane.md, Authentication). EXO_AUTHENTICATION
 * for a challenge of another origin, or for another key or role; what `navigator.credentials.get` throws.
 */
export async function signChallengeWithPasskey(challenge: Challenge, entry: PasskeyEntry): Promise<Envelope> {
  const { audience, keyId, role } = parseContract(challengeSchema, challenge, "challenge");
  if (audience !== location.origin) {
    throw new ExoArmurError("EXO_AUTHENTICATION", `expected a challenge of ${location.origin}, got one of ${audience}`);
  }
  if (keyId !== entryKeyId(entry) || role !== "approver") {
    throw new ExoArmurError(
      "EXO_AUTHENTICATION",
      `the challenge is for the ${role} key ${keyId}, which is no such passkey`,
    );
  }
  return await sign(payloadTypes.challenge, canonicalize(challenge), entry);
}

async function sign(payloadType: string, payload: Uint8Array, entry: PasskeyEntry): Promise<Envelope> {
  const { credentialId, rpId } = entry.passkey;
  const got = await navigator.credentials.get({
    publicKey: {
      challenge: bufferOf(sha256(payload)),
      rpId,
      allowCredentials: [{ type: "public-key", id: bufferOf(decodeBase64Url(credentialId) ?? new Uint8Array(0)) }],
      userVerification: "required",
    },
  });
  if (!(got instanceof PublicKeyCredential) || !(got.response instanceof AuthenticatorAssertionResponse)) {
    throw new ExoArmurError("EXO_PASSKEY", "the browser gave no assertion");
  }
  const { authenticatorData, clientDataJSON, signature } = got.response;
  const text = (buffer: ArrayBuffer): string => encodeBase64(new Uint8Array(buffer));
  const envelope: Envelope = {
    payloadType,
    payload: encodeBase64(payload),
    signatures: [
      {
        keyid: entryKeyId(entry),
        sig: text(signature),
        webauthn: { authenticatorData: text(authenticatorData), clientDataJSON: text(clientDataJSON) },
      },
    ],
  };
  const key = envelopeKeyOf(decodeBase64(entry.publicKey) ?? new Uint8Array(0), entry.passkey);
  const opened = openEnvelope(envelope, payloadType, [key]);
  if (!opened.ok) throw new ExoArmurError(opened.error.code, opened.error.message);
  return envelope;
}

/** The DOM's types want bytes that are not shared. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
