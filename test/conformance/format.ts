import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { ErrorCode } from "../../src/errors.js";
import { type Loose, repack } from "../support/forge.js";
import type { Case } from "./vector.js";

/** A file with one change of its text, which must be there. */
function text(bytes: Uint8Array, from: string | RegExp, to: string): Uint8Array {
  const before = decodeUtf8(bytes) ?? "";
  const after = before.replace(from, to);
  if (after === before) throw new Error(`nothing to replace: ${String(from)}`);
  return encodeUtf8(after);
}

function payload(bytes: Uint8Array, change: (statement: string) => string): Uint8Array {
  return repack(bytes, ({ envelope }) => {
    const statement = decodeUtf8(decodeBase64(envelope.payload) ?? new Uint8Array()) ?? "";
    envelope.payload = encodeBase64(encodeUtf8(change(statement)));
  });
}

const edited =
  (change: (bundle: Loose) => unknown) =>
  (bytes: Uint8Array): Uint8Array =>
    repack(bytes, change);

const rows: readonly (readonly [about: string, code: ErrorCode, make: (bytes: Uint8Array) => Uint8Array])[] = [
  ["an empty file", "EXO_JSON_SYNTAX", () => new Uint8Array()],
  ["the last byte left out", "EXO_JSON_SYNTAX", (bytes) => bytes.slice(0, -1)],
  ["the second half left out", "EXO_JSON_SYNTAX", (bytes) => bytes.slice(0, bytes.length >> 1)],
  ["the file twice", "EXO_JSON_SYNTAX", (bytes) => Uint8Array.of(...bytes, ...bytes)],
  ["a line feed at the end", "EXO_JSON_NOT_CANONICAL", (bytes) => Uint8Array.of(...bytes, 10)],
  ["a byte order mark", "EXO_JSON_SYNTAX", (bytes) => Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes)],
  ["a byte that is no UTF-8", "EXO_JSON_UTF8", (bytes) => bytes.map((byte, at) => (at === 2 ? 0xff : byte))],
  ["a space between tokens", "EXO_JSON_NOT_CANONICAL", (bytes) => text(bytes, '{"envelope":', '{ "envelope":')],
  ["an escape that need not be", "EXO_JSON_NOT_CANONICAL", (bytes) => text(bytes, '"envelope"', '"\\u0065nvelope"')],
  [
    "members in another order",
    "EXO_JSON_NOT_CANONICAL",
    (bytes) => text(bytes, /^\{("envelope":\{.*?\}),("logProof":".*?"),/, "{$2,$1,"),
  ],
  ["a member twice", "EXO_JSON_NOT_CANONICAL", (bytes) => text(bytes, /("logProof":".*?"),/, "$1,$1,")],
  ["a forbidden member", "EXO_JSON_FORBIDDEN_KEY", (bytes) => text(bytes, "{", '{"__proto__":{},')],
  ["a member that is not the layout's", "EXO_SCHEMA", edited((bundle) => (bundle.more = 1))],
  ["no log proof member", "EXO_SCHEMA", edited((bundle) => delete bundle.logProof)],
  ["materials in a list", "EXO_SCHEMA", edited((bundle) => (bundle.materials = []))],
  ["no signature at all", "EXO_SCHEMA", edited(({ envelope }) => (envelope.signatures = []))],
  ["an envelope of another type", "EXO_BUNDLE", edited(({ envelope }) => (envelope.payloadType = "text/plain"))],
  ["a payload that is no JSON", "EXO_JSON_SYNTAX", (bytes) => payload(bytes, () => "statement")],
  ["a payload with a line feed", "EXO_JSON_NOT_CANONICAL", (bytes) => payload(bytes, (statement) => `${statement}\n`)],
  ["a payload without revisions", "EXO_BUNDLE", (bytes) => payload(bytes, () => '{"predicate":{}}')],
  ["a payload of another type", "EXO_SCHEMA", (bytes) => payload(bytes, (s) => s.replace("Statement/v1", "Link/v1"))],
];

/** Files that are no bundle, made of an honest one. */
export function formatCases(twin: Case): Case[] {
  return rows.map(([about, code, make]) => ({
    about: `format: ${about}`,
    bytes: make(twin.bytes),
    trust: twin.trust,
    wrong: { check: "format", code },
    twin,
  }));
}
