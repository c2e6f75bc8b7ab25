import { pointerOf } from "../contracts/common.js";
import { type ReferenceEventHeader, referenceEventSchema } from "../contracts/reference-event.js";
import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import { isObject, NumberLiteral, parseReference, type ReferenceJson, type ReferenceObject } from "./reference-json.js";

/** An event of the reference; its numbers are as they were written. */
export type ReferenceEvent = ReferenceEventHeader & { readonly payload: ReferenceObject };

/** How much of a file is looked at to tell what it is. */
const shapeBytes = 65_536;

/** Do these bytes look like a stream of the reference rather than a proof bundle? Says nothing about their soundness. */
export function looksLikeReference(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, shapeBytes));
  return /^\s*(?:\[\s*)?\{\s*"(?!envelope")/.test(start) && /"payload_hash"\s*:/.test(start);
}

/**
 * Reads CanonicalEvents of the reference: one JSON array, or one JSON object a line. Throws EXO_SCHEMA for whatever is
 * no CanonicalEvent, and EXO_JSON_* with the line for what is no strict JSON.
 */
export function readReferenceEvents(bytes: Uint8Array): ReferenceEvent[] {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new ExoArmurError("EXO_JSON_UTF8", "the events are not well-formed UTF-8");
  return documentsOf(text).map(eventOf);
}

function documentsOf(text: string): readonly ReferenceJson[] {
  if (/^\s*\[/.test(text)) return parseReference(text) as readonly ReferenceJson[];
  return text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [parseLine(line, index + 1)]));
}

function parseLine(line: string, number: number): ReferenceJson {
  try {
    return parseReference(line);
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    throw new ExoArmurError(error.code, `line ${number} of the events: ${error.message}`, { line: number });
  }
}

function eventOf(value: ReferenceJson, index: number): ReferenceEvent {
  const what = `event ${index}: reference mode takes CanonicalEvents only`;
  if (!isObject(value)) throw new ExoArmurError("EXO_SCHEMA", `${what}, came no object`);
  const { payload, ...rest } = value;
  // The payload keeps its literals, which no schema knows; that it is an object is all the contract asks of it.
  const shape = isObject(payload) ? { payload: {} } : payload === undefined ? {} : { payload: null };
  const parsed = referenceEventSchema.safeParse({ ...plainMembers(rest), ...shape });
  if (!parsed.success) {
    const problems = parsed.error.issues
      .slice(0, 8)
      .map((issue) => `${pointerOf(issue.path) || "/"}: ${issue.message}`);
    throw new ExoArmurError("EXO_SCHEMA", `${what}; ${problems.join("; ")}`, {
      pointer: pointerOf(parsed.error.issues[0]?.path ?? []),
    });
  }
  return { ...parsed.data, payload: payload as ReferenceObject };
}

const plainMembers = (object: ReferenceObject): { [key: string]: unknown } =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, plain(value)]));

/** A value as our own documents carry it: a number that is no exact one of ours becomes its text. */
export function plain(value: ReferenceJson): unknown {
  if (value instanceof NumberLiteral) {
    const double = Number(value.text);
    const exact = value.integer ? Number.isSafeInteger(double) : Number.isFinite(double);
    return exact ? double + 0 : value.text;
  }
  if (Array.isArray(value)) return (value as readonly ReferenceJson[]).map(plain);
  return isObject(value) ? plainMembers(value) : value;
}
