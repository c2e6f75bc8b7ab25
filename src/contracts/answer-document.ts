import { encodeAbi, isAbiMap } from "../canonical/msgpack.js";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { AbiValue } from "../ports.js";

/**
 * A host call's answer as people write it: JSON in which a byte string is `{"$text": "..."}` where it is UTF-8 and
 * `{"$base64": "..."}` where it is not (spec/what-if.md, Another answer).
 */
export function answerDocument(value: AbiValue): unknown {
  if (value instanceof Uint8Array) {
    const text = decodeUtf8(value);
    return text === undefined ? { $base64: encodeBase64(value) } : { $text: text };
  }
  if (Array.isArray(value)) return value.map(answerDocument);
  if (!isAbiMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, answerDocument(entry)]));
}

/** An answer that stands in for a recorded one: the bytes a guest reads, and whether they are an `ok`. */
export type GivenAnswer = { readonly outcome: "ok" | "error"; readonly response: Uint8Array };

/**
 * Reads such a document: a map of one member, `ok` with a map or `error` with code and message. EXO_OVERRIDE for anything
 * else, and for what has no form in the msgpack profile.
 */
export function readAnswerDocument(document: unknown): GivenAnswer {
  const value = abiOf(document);
  const [member, second] = isAbiMap(value) ? Object.keys(value) : [];
  const inner = isAbiMap(value) ? value[member ?? ""] : undefined;
  if (second === undefined && isAbiMap(inner)) {
    if (member === "ok") return { outcome: "ok", response: encode(value) };
    const { code, message, ...more } = inner;
    const whole = typeof code === "string" && typeof message === "string" && Object.keys(more).length === 0;
    if (member === "error" && whole) return { outcome: "error", response: encode(value) };
  }
  throw new ExoArmurError("EXO_OVERRIDE", 'expected {"ok": {...}} or {"error": {"code": "...", "message": "..."}}');
}

function encode(value: AbiValue): Uint8Array {
  try {
    return encodeAbi(value);
  } catch (error) {
    if (isExoArmurError(error, "EXO_MSGPACK")) throw new ExoArmurError("EXO_OVERRIDE", error.message);
    throw error;
  }
}

function abiOf(document: unknown): AbiValue {
  if (Array.isArray(document)) return document.map(abiOf);
  if (typeof document !== "object" || document === null) return document as AbiValue;
  const entries = Object.entries(document);
  const [[name, text] = [], second] = entries;
  if (second === undefined && typeof text === "string" && (name === "$text" || name === "$base64")) {
    const bytes = name === "$text" ? encodeUtf8(text) : decodeBase64(text);
    if (bytes !== undefined) return bytes;
    throw new ExoArmurError("EXO_OVERRIDE", "$base64 expects standard, padded base64");
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, abiOf(value)]));
}
