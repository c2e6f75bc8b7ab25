import { type JsonTree, parseTextWith } from "../canonical/json-parser.js";
import { encodeUtf8 } from "../crypto/encoding.js";
import { sha256Hex } from "../crypto/sha256.js";

/** A number as it is written: the reference hashes `1` and `1.0` differently. */
export class NumberLiteral {
  readonly text: string;
  readonly integer: boolean;

  constructor(text: string, integer: boolean) {
    this.text = text;
    this.integer = integer;
  }
}

/** A JSON document of the reference. */
export type ReferenceJson = JsonTree<NumberLiteral>;

/** A JSON object of the reference. */
export type ReferenceObject = { readonly [key: string]: ReferenceJson };

/** The longest integer that the reference reads, in characters. */
const maxIntegerDigits = 4300;

/** Reads a JSON text strictly (spec/canonical-bytes.md) but for numbers, which stay as they are written. Throws EXO_JSON_*. */
export function parseReference(text: string): ReferenceJson {
  return parseTextWith(text, (literal, integer) =>
    integer && literal.length > maxIntegerDigits ? undefined : new NumberLiteral(literal, integer),
  );
}

/** Is this a JSON object? */
export function isObject(value: ReferenceJson | undefined): value is ReferenceObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof NumberLiteral);
}

/**
 * The text the reference hashes (spec/reference-replay.md, Canonical text): keys by code point, no space, characters
 * beyond ASCII as they are, integers in full, other numbers rounded to twelve decimals.
 */
export function referenceText(value: ReferenceJson): string {
  if (value instanceof NumberLiteral) return numberText(value);
  if (Array.isArray(value)) return `[${(value as readonly ReferenceJson[]).map(referenceText).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([key, member]) => `${JSON.stringify(key)}:${referenceText(member)}`);
  return `{${members.join(",")}}`;
}

/** The reference's hash of a value: SHA-256 of its canonical text, 64 lower-case hex digits. */
export function referenceHash(value: ReferenceJson): string {
  return sha256Hex(encodeUtf8(referenceText(value)));
}

/** Does a value hold a number whose hash does not cover all of its digits? */
export function isRounded(value: ReferenceJson): boolean {
  if (value instanceof NumberLiteral) {
    const double = Number(value.text);
    return !value.integer && (!Number.isFinite(double) || roundToTwelve(double) !== double);
  }
  if (Array.isArray(value)) return (value as readonly ReferenceJson[]).some(isRounded);
  return isObject(value) && Object.values(value).some(isRounded);
}

/** Order of two well-formed texts by code point, which is the order of their UTF-8 bytes. */
export function compareCodePoints(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return rankOf(left) - rankOf(right);
  }
  return a.length - b.length;
}

/** Halves of pairs stand for code points above all others. */
const rankOf = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);

function numberText({ text, integer }: NumberLiteral): string {
  if (integer) return text === "-0" ? "0" : text;
  const value = Number(text);
  return Number.isFinite(value) ? doubleText(roundToTwelve(value)) : '"null"';
}

/** Rounds the exact value of a double to twelve decimals, ties to the even digit, and takes the nearest double. */
function roundToTwelve(value: number): number {
  if (Number.isInteger(value)) return value;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const shift = BigInt(1075 - Math.max(exponent, 1));
  const scaled = mantissa * 10n ** 12n;
  const whole = scaled >> shift;
  const rest = (scaled - (whole << shift)) * 2n - (1n << shift);
  const up = rest > 0n || (rest === 0n && (whole & 1n) === 1n);
  const rounded = Number(`${up ? whole + 1n : whole}e-12`);
  return value < 0 ? -rounded : rounded;
}

/** A double as the reference's language writes it: shortest digits, an exponent below 1e-4 and from 1e16 on. */
function doubleText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa = "", power = ""] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const exponent = Number(power);
  const sign = value < 0 ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    const point = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    return `${sign}${point}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const padded = digits.padEnd(exponent + 1, "0");
  return `${sign}${padded.slice(0, exponent + 1)}.${padded.slice(exponent + 1) || "0"}`;
}
