import { admitPublicKey } from "../crypto/ed25519.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { parseVkey } from "../crypto/note-key.js";
import { admitP256Key } from "../crypto/p256.js";
import { isExoArmurError, ok, type Refusal, type Result, refuse } from "../errors.js";
import type { Trust, TrustedKey } from "./trust.js";

/** A key of a trust file that is not admitted, and where it stands, as a JSON pointer. */
export type RefusedKey = { readonly error: Refusal; readonly pointer: string };

/**
 * The first key of a trust file that does not count anywhere: a public key that is not admitted, a verifier key that is
 * malformed or has another name than its log. EXO_KEY, EXO_KEY_REFUSED (spec/keys.md, Admission).
 */
export function refusedKeyOf({ keys, logs, witnesses }: Trust): RefusedKey | undefined {
  for (const [index, key] of keys.entries()) {
    const admitted = admitEntry(key);
    if (!admitted.ok) return { error: admitted.error, pointer: `/keys/${index}/publicKey` };
  }
  for (const [index, { origin, vkey }] of logs.entries()) {
    const named = nameOfVkey(vkey);
    const pointer = `/logs/${index}/vkey`;
    if (!named.ok) return { error: named.error, pointer };
    if (named.value === origin) continue;
    return { error: { code: "EXO_KEY", message: `expected a key named ${origin}, got ${named.value}` }, pointer };
  }
  for (const [index, vkey] of witnesses.vkeys.entries()) {
    const named = nameOfVkey(vkey);
    if (!named.ok) return { error: named.error, pointer: `/witnesses/vkeys/${index}` };
  }
  return undefined;
}

/** Admits the key of one entry: of the curve that the entry says. EXO_KEY, EXO_KEY_REFUSED. */
export function admitEntry({ publicKey, passkey }: Pick<TrustedKey, "publicKey" | "passkey">): Result<Uint8Array> {
  const raw = decodeBase64(publicKey) ?? new Uint8Array(0);
  return passkey === undefined ? admitPublicKey(raw) : admitP256Key(raw);
}

function nameOfVkey(vkey: string): Result<string> {
  try {
    return ok(parseVkey(vkey).name);
  } catch (error) {
    if (isExoArmurError(error)) return refuse(error.code, error.message);
    throw error;
  }
}
