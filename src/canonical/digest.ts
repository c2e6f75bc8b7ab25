import { decodeHex } from "../crypto/encoding.js";
import { sha256Hex } from "../crypto/sha256.js";
import { ExoArmurError } from "../errors.js";
import { canonicalize } from "./jcs.js";

/** Text form of a SHA-256 digest: `sha256:` and 64 lower-case hex characters. */
export type Digest = `sha256:${string}`;

/** The digest of exactly these bytes. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${sha256Hex(bytes)}`;
}

/** The digest of the canonical bytes of a value (spec/canonical-bytes.md). Throws EXO_JSON_* as canonicalize does. */
export function digestOfJson(value: unknown): Digest {
  return digestOf(canonicalize(value));
}

/** True for the text form of a digest, and for nothing that only resembles it. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && form.test(text);
}

/** The 32 bytes of a digest's text form. Throws EXO_SCHEMA for any other text. */
export function parseDigest(text: string): Uint8Array {
  const bytes = isDigest(text) ? decodeHex(text.slice(7)) : undefined;
  if (bytes === undefined) {
    throw new ExoArmurError("EXO_SCHEMA", "A digest is sha256: and 64 lower-case hex characters.");
  }
  return bytes;
}

const form = /^sha256:[0-9a-f]{64}$/;
