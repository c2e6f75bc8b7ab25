/** Text codecs without Buffer, table-driven so that megabytes stay quick. Strict: one text per value, else undefined. */

const ascii = new TextDecoder("latin1");
const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const standard = alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const urlSafe = alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const hex = alphabet("0123456789abcdef");
const pad = 0x3d;

/** Code units by value, and values by code unit (255 where there is none). */
type Alphabet = { readonly codes: Uint8Array; readonly values: Uint8Array };

function alphabet(characters: string): Alphabet {
  const codes = new Uint8Array(characters.length);
  const values = new Uint8Array(256).fill(255);
  for (let i = 0; i < characters.length; i++) {
    codes[i] = characters.charCodeAt(i);
    values[characters.charCodeAt(i)] = i;
  }
  return { codes, values };
}

export function encodeHex(bytes: Uint8Array): string {
  const out = new Uint8Array(bytes.length * 2);
  for (let i = 0, o = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    out[o++] = hex.codes[byte >> 4] ?? 0;
    out[o++] = hex.codes[byte & 15] ?? 0;
  }
  return ascii.decode(out);
}

export function decodeHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const out = new Uint8Array(text.length / 2);
  let bad = 0;
  for (let i = 0, o = 0; i < text.length; i += 2) {
    const high = hex.values[text.charCodeAt(i)] ?? 255;
    const low = hex.values[text.charCodeAt(i + 1)] ?? 255;
    bad |= high | low;
    out[o++] = (high << 4) | low;
  }
  return bad < 16 ? out : undefined;
}

export function encodeBase64(bytes: Uint8Array): string {
  return encodeGroups(bytes, standard.codes, true);
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeGroups(bytes, urlSafe.codes, false);
}

export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return decodeGroups(text, text.length - padding, standard.values);
}

export function decodeBase64Url(text: string): Uint8Array | undefined {
  return decodeGroups(text, text.length, urlSafe.values);
}

export function encodeUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function encodeGroups(bytes: Uint8Array, codes: Uint8Array, padded: boolean): string {
  const whole = bytes.length - (bytes.length % 3);
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let o = 0;
  for (let i = 0; i < whole; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[o++] = codes[group >> 18] ?? 0;
    out[o++] = codes[(group >> 12) & 63] ?? 0;
    out[o++] = codes[(group >> 6) & 63] ?? 0;
    out[o++] = codes[group & 63] ?? 0;
  }
  const rest = bytes.length - whole;
  if (rest > 0) {
    const group = ((bytes[whole] ?? 0) << 16) | ((bytes[whole + 1] ?? 0) << 8);
    out[o++] = codes[group >> 18] ?? 0;
    out[o++] = codes[(group >> 12) & 63] ?? 0;
    if (rest === 2) out[o++] = codes[(group >> 6) & 63] ?? 0;
  }
  const end = padded ? out.fill(pad, o).length : o;
  return ascii.decode(out.subarray(0, end));
}

/** `length` counts the characters without padding. */
function decodeGroups(text: string, length: number, values: Uint8Array): Uint8Array | undefined {
  const rest = length % 4;
  if (rest === 1) return undefined;
  const out = new Uint8Array(Math.floor((length * 3) / 4));
  const value = (index: number): number => values[text.charCodeAt(index)] ?? 255;
  const whole = length - rest;
  let bad = 0;
  let o = 0;
  for (let i = 0; i < whole; i += 4) {
    const a = value(i);
    const b = value(i + 1);
    const c = value(i + 2);
    const d = value(i + 3);
    bad |= a | b | c | d;
    out[o++] = (a << 2) | (b >> 4);
    out[o++] = (b << 4) | (c >> 2);
    out[o++] = (c << 6) | d;
  }
  if (rest > 0) {
    const a = value(whole);
    const b = value(whole + 1);
    const c = rest === 3 ? value(whole + 2) : 0;
    bad |= a | b | c;
    // Bits past the last byte must be 0, or two texts would stand for one value.
    if (rest === 2 ? (b & 15) !== 0 : (c & 3) !== 0) return undefined;
    out[o++] = (a << 2) | (b >> 4);
    if (rest === 3) out[o++] = (b << 4) | (c >> 2);
  }
  return bad < 64 ? out : undefined;
}
