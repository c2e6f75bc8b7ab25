import { secretBytes } from "../../../contracts/secret.js";
import type { Scrubbed } from "../http/hooks.js";
import { type Stream, streamOf, unescaped, withoutBreaks, withoutSeparators } from "./stream.js";

/** What stands where a form of a secret was. */
export const scrubMark = "[secret removed]";

/** Bytes looked at in one go. */
const windowBytes = 524_288;

/** More than the longest form of the longest secret: so much of the next window is looked at with each. */
const overlapBytes = 131_072;

/** How often escapes are taken off: an echo may be escaped twice. */
const escapeDepth = 2;

/** A place in the bytes that were searched, the end exclusive. */
type Span = readonly [start: number, end: number];

/**
 * Takes every form of the values out of bytes (spec/capabilities.md, Secrets): as they are; with percent, JSON or HTML
 * escapes, up to two layers; in hexadecimal; in base64 and base64url at any alignment, also broken into lines.
 */
export function scrubBytes(bytes: Uint8Array, values: readonly Uint8Array[]): Scrubbed<Uint8Array> {
  const spans = values.length === 0 ? [] : merge(findAll(viewOf(bytes), values));
  if (spans.length === 0) return { value: bytes, found: false };
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const span of spans) {
    parts.push(bytes.subarray(end, span[0]), Buffer.from(scrubMark, "latin1"));
    end = span[1];
  }
  return { value: new Uint8Array(Buffer.concat([...parts, bytes.subarray(end)])), found: true };
}

/** The same for a text, taken as its UTF-8. */
export function scrubText(text: string, values: readonly Uint8Array[]): Scrubbed<string> {
  const { value, found } = scrubBytes(Buffer.from(text, "utf8"), values);
  return found ? { value: viewOf(value).toString("utf8"), found } : { value: text, found };
}

function findAll(bytes: Buffer, values: readonly Uint8Array[]): Span[] {
  const spans: Span[] = [];
  const sent = values.flatMap((value) => sentForms(viewOf(value)));
  for (let at = 0; at === 0 || at + overlapBytes < bytes.length; at += windowBytes) {
    let stream = streamOf(bytes, at, Math.min(bytes.length, at + windowBytes + overlapBytes));
    for (let depth = 0; ; depth++) {
      for (const value of sent) spans.push(...findForms(stream, value));
      const next = depth < escapeDepth ? unescaped(stream) : undefined;
      if (next === undefined) break;
      stream = next;
    }
  }
  return spans;
}

/** A value, and as it stands in a JSON body or a URL: the bytes that somebody who encodes the whole of it encodes. */
function sentForms(value: Buffer): readonly Buffer[] {
  const text = value.toString("utf8");
  if (!Buffer.from(text, "utf8").equals(value)) return [value];
  const forms = new Set([text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text)]);
  return Array.from(forms, (form) => Buffer.from(form, "utf8"));
}

function findForms(stream: Stream, value: Buffer): readonly Span[] {
  const spans = plainForms(value).flatMap((form) => find(stream, form));
  spans.push(...find(withoutSeparators(stream), Buffer.from(value.toString("hex"), "latin1")));
  const packed = withoutBreaks(stream);
  for (const shift of [0, 1, 2]) spans.push(...findBase64(packed, value, shift));
  return spans;
}

/**
 * What a value may read as once escapes were taken off: itself, and what becomes of it where it holds what looks like
 * an escape of another kind than it was echoed in.
 */
function plainForms(value: Buffer): readonly Buffer[] {
  const forms = [value];
  // A form writes blanks as plus signs.
  if (value.includes(" ")) forms.push(Buffer.from(value.toString("latin1").replaceAll(" ", "+"), "latin1"));
  let stream = unescaped(streamOf(value, 0, value.length));
  for (let depth = 0; stream !== undefined && depth < escapeDepth; depth++) {
    // What is left of it may be so short that it stands anywhere.
    if (stream.bytes.length >= secretBytes.least) forms.push(stream.bytes);
    stream = unescaped(stream);
  }
  return forms;
}

/** The value in base64, behind `shift` bytes of something else: the characters that hold nothing but it, and the two ends. */
function findBase64(packed: Stream, value: Buffer, shift: number): readonly Span[] {
  const whole = Buffer.concat([Buffer.alloc(shift), value]).toString("base64");
  const first = Math.ceil((shift * 8) / 6);
  const last = Math.floor(((shift + value.length) * 8) / 6);
  const sharesStart = shift > 0;
  const sharesEnd = ((shift + value.length) * 8) % 6 !== 0;
  const needle = Buffer.from(whole.slice(first, last), "latin1");
  return positions(packed, needle).map((at) => {
    const before = sharesStart && isBase64(packed.bytes[at - 1]) ? 1 : 0;
    const after = sharesEnd && isBase64(packed.bytes[at + needle.length]) ? 1 : 0;
    return spanOf(packed, at - before, at + needle.length + after);
  });
}

function find(stream: Stream, needle: Buffer): readonly Span[] {
  return positions(stream, needle).map((at) => spanOf(stream, at, at + needle.length));
}

function positions({ bytes }: Stream, needle: Buffer): readonly number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) found.push(at);
  return found;
}

function spanOf({ starts, ends }: Stream, from: number, to: number): Span {
  return [starts[from] ?? 0, ends[to - 1] ?? 0];
}

function isBase64(byte: number | undefined): boolean {
  return byte !== undefined && /[A-Za-z0-9+/]/.test(String.fromCharCode(byte));
}

/** Spans in order, those that share a byte as one. */
function merge(spans: readonly Span[]): readonly Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => a[0] - b[0])) {
    const last = merged[merged.length - 1];
    if (last !== undefined && span[0] < last[1]) merged[merged.length - 1] = [last[0], Math.max(last[1], span[1])];
    else merged.push(span);
  }
  return merged;
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
