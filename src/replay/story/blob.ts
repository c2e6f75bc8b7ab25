import { decodeAbi } from "../../canonical/msgpack.js";
import { decodeUtf8, encodeHex } from "../../crypto/encoding.js";
import type { AbiValue } from "../../ports.js";

/** Bytes as they are shown: the first of them, and what they can be read as. */
export type Blob = {
  readonly label: string;
  readonly length: number;
  /** The first bytes, at most {@link shownBytes}. */
  readonly bytes: Uint8Array;
  /** The bytes read for people, null when they are no document and no text. */
  readonly reading: string | null;
};

/** Most bytes of one blob that are kept for showing. */
const shownBytes = 4096;

/** Most characters of a reading. */
const shownChars = 8192;

/** A blob of text, of canonical JSON, or of anything else. */
export function blobOf(label: string, bytes: Uint8Array): Blob {
  return { label, length: bytes.length, bytes: bytes.slice(0, shownBytes), reading: cut(readText(bytes)) };
}

/** A blob in the msgpack profile, as requests and answers of host calls are. */
export function abiBlobOf(label: string, bytes: Uint8Array): Blob {
  if (bytes.length > 65_536) return blobOf(label, bytes);
  try {
    const reading = JSON.stringify(readable(decodeAbi(bytes)), null, 2);
    return { label, length: bytes.length, bytes: bytes.slice(0, shownBytes), reading: cut(reading) };
  } catch {
    return blobOf(label, bytes);
  }
}

/** A document as text, indented. */
export function documentBlob(label: string, document: unknown, bytes: Uint8Array): Blob {
  const reading = cut(JSON.stringify(document, null, 2));
  return { label, length: bytes.length, bytes: bytes.slice(0, shownBytes), reading };
}

function readText(bytes: Uint8Array): string | null {
  const text = bytes.length > 262_144 ? undefined : decodeUtf8(bytes);
  if (text === undefined) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function cut(text: string | null): string | null {
  return text === null || text.length <= shownChars ? text : `${text.slice(0, shownChars)}\n... cut here`;
}

/** Byte strings as their text where they are text, as hex where not. */
function readable(value: AbiValue): unknown {
  if (value instanceof Uint8Array) return decodeUtf8(value) ?? `hex ${encodeHex(value)}`;
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, readable(entry as AbiValue)]));
}
