import { z } from "zod";
import type { JsonValue } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import { concatBytes, decodeBase64, encodeBase64Url, encodeHex, encodeUtf8, equalBytes } from "../crypto/encoding.js";
import { admitP256Key, verifyP256 } from "../crypto/p256.js";
import { sha256 } from "../crypto/sha256.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import { base64Schema } from "./common.js";
import type { PasskeyKey } from "./passkey.js";

/** Bytes that clientDataJSON may have: browsers write some 200. */
const maxClientDataBytes = 4_096;

/**
 * What an authenticator signed (spec/approval.md, Passkeys): its own data and the browser's, both as they came, in
 * standard padded base64. Longer texts than an assertion can have are refused unread.
 */
export const assertionSchema = z.strictObject({
  authenticatorData: base64Schema.max(1_368),
  clientDataJSON: base64Schema.max(5_464),
});

/** An assertion without its signature. */
export type Assertion = z.infer<typeof assertionSchema>;

/** Bytes of authenticator data without attested credential data and extensions: rpIdHash, flags, signature counter. */
const authenticatorDataLength = 37;

/** Flags of authenticator data (WebAuthn Level 3, section 6.1). */
const flags = {
  present: 0x01,
  verified: 0x04,
  eligible: 0x08,
  backedUp: 0x10,
  attested: 0x40,
  extended: 0x80,
} as const;

/** Reserved for future use: whoever sets one means something that this does not know. */
const reservedFlags = 0x22;

/**
 * Checks that a passkey signed `payload` (spec/approval.md, Passkeys): the challenge is the payload's SHA-256, the page
 * that asked was of one of the key's origins and in no frame of another, the relying party is the key's, and a person
 * was there and was verified. The counter is not judged.
 *
 * @param signature DER
 * @returns EXO_PASSKEY, EXO_KEY, EXO_KEY_REFUSED, EXO_SIGNATURE
 */
export function checkAssertion(
  key: PasskeyKey,
  payload: Uint8Array,
  assertion: Assertion,
  signature: Uint8Array,
): Result<void> {
  const admitted = admitP256Key(key.publicKey);
  if (!admitted.ok) return admitted;
  const clientData = decodeBase64(assertion.clientDataJSON);
  const authenticatorData = decodeBase64(assertion.authenticatorData);
  if (clientData === undefined || authenticatorData === undefined) {
    return refuse("EXO_PASSKEY", "the assertion is not standard padded base64");
  }
  const fault =
    clientDataFault(clientData, payload, key.origins) ?? authenticatorDataFault(authenticatorData, key.rpId);
  if (fault !== undefined) return refuse("EXO_PASSKEY", fault);
  if (!verifyP256(admitted.value, concatBytes(authenticatorData, sha256(clientData)), signature)) {
    return refuse("EXO_SIGNATURE", "the passkey's signature does not verify");
  }
  return ok(undefined);
}

function clientDataFault(bytes: Uint8Array, payload: Uint8Array, origins: readonly string[]): string | undefined {
  let value: JsonValue;
  try {
    value = readJson(bytes, { maxBytes: maxClientDataBytes });
  } catch (error) {
    if (isExoArmurError(error)) return `clientDataJSON: ${error.code}: ${error.message}`;
    throw error;
  }
  if (!isObject(value)) return "clientDataJSON is no object";
  // Members that this does not know may come: the standard says so.
  const { type, challenge, origin, crossOrigin, topOrigin } = value;
  if (type !== "webauthn.get") return expected("the type webauthn.get", type);
  const digest = encodeBase64Url(sha256(payload));
  if (challenge !== digest) return expected(`the challenge ${digest}, the payload's SHA-256`, challenge);
  if (typeof origin !== "string" || !origins.includes(origin))
    return expected(`an origin of ${origins.join(", ")}`, origin);
  if (crossOrigin !== undefined && crossOrigin !== false) return expected("crossOrigin false", crossOrigin);
  return topOrigin === undefined ? undefined : expected("no topOrigin", topOrigin);
}

function authenticatorDataFault(data: Uint8Array, rpId: string): string | undefined {
  const set = data[32] ?? 0;
  const has = (flag: number): boolean => (set & flag) !== 0;
  if (has(flags.attested) || has(flags.extended)) return "expected neither attested credential data nor extensions";
  if (data.length !== authenticatorDataLength) {
    return `expected authenticatorData of ${authenticatorDataLength} bytes, got ${data.length}`;
  }
  if (!equalBytes(data.subarray(0, 32), sha256(encodeUtf8(rpId)))) {
    return `expected the relying party ${rpId}, got one whose SHA-256 is ${encodeHex(data.subarray(0, 32))}`;
  }
  if (has(reservedFlags)) return `expected no reserved flag, got 0x${encodeHex(data.subarray(32, 33))}`;
  if (!has(flags.present)) return "expected a user who was present";
  if (!has(flags.verified)) return "expected a user who was verified, with PIN or biometrics";
  if (has(flags.backedUp) && !has(flags.eligible)) return "a credential that may not be backed up says that it is";
  return undefined;
}

function isObject(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function expected(what: string, got: JsonValue | undefined): string {
  return `expected ${what}, got ${got === undefined ? "nothing" : JSON.stringify(got).slice(0, 200)}`;
}
