/**
 * Bytes after some decoding, and for each the place it came from: `starts` and `ends` count in the bytes that were
 * decoded first, the end exclusive.
 */
export type Stream = { readonly bytes: Buffer; readonly starts: Uint32Array; readonly ends: Uint32Array };

/** The bytes from `from` to `to` as they are. */
export function streamOf(all: Buffer, from: number, to: number): Stream {
  const bytes = all.subarray(from, to);
  const starts = new Uint32Array(bytes.length);
  const ends = new Uint32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    starts[i] = from + i;
    ends[i] = from + i + 1;
  }
  return { bytes, starts, ends };
}

/** Percent, JSON and HTML escapes. The groups: two hex digits, a surrogate pair, one unit, a short escape, an entity. */
const escapePattern = new RegExp(
  [
    String.raw`(?:%|\\x)(?<byte>[0-9a-f]{2})`,
    String.raw`\\u(?<high>d[89ab][0-9a-f]{2})\\u(?<low>d[c-f][0-9a-f]{2})`,
    String.raw`\\u(?<unit>[0-9a-f]{4})`,
    String.raw`\\(?<short>["\\/bfnrt])`,
    "&(?:#(?<decimal>[0-9]{1,9})|#x(?<hex>[0-9a-f]{1,9})|(?<name>amp|lt|gt|quot|apos));",
  ].join("|"),
  "gi",
);

const shortEscapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The stream with one layer of escapes taken off; undefined when there is none in it. */
export function unescaped({ bytes, starts, ends }: Stream): Stream | undefined {
  const text = bytes.toString("latin1");
  const decoded: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const keep = (first: number, last: number): void => {
    for (let i = first; i < last; i++) {
      decoded.push(bytes[i] ?? 0);
      from.push(starts[i] ?? 0);
      to.push(ends[i] ?? 0);
    }
  };
  let at = 0;
  for (const match of text.matchAll(escapePattern)) {
    keep(at, match.index);
    at = match.index + match[0].length;
    for (const byte of bytesOf(match.groups ?? {})) {
      decoded.push(byte);
      from.push(starts[match.index] ?? 0);
      to.push(ends[at - 1] ?? 0);
    }
  }
  if (at === 0) return undefined;
  keep(at, bytes.length);
  return { bytes: Buffer.from(decoded), starts: Uint32Array.from(from), ends: Uint32Array.from(to) };
}

/** What one escape stands for. */
function bytesOf(groups: Readonly<Record<string, string | undefined>>): Iterable<number> {
  const { byte, high, low, unit, short, decimal, hex, name } = groups;
  if (byte !== undefined) return [Number.parseInt(byte, 16)];
  if (high !== undefined) {
    return Buffer.from(String.fromCharCode(Number.parseInt(high, 16), Number.parseInt(low ?? "", 16)), "utf8");
  }
  if (unit !== undefined) return Buffer.from(String.fromCharCode(Number.parseInt(unit, 16)), "utf8");
  if (short !== undefined) return Buffer.from(shortEscapes[short.toLowerCase()] ?? short, "utf8");
  if (name !== undefined) return Buffer.from(entities[name.toLowerCase()] ?? "", "utf8");
  const code = Number.parseInt(decimal ?? hex ?? "", decimal === undefined ? 16 : 10);
  return Buffer.from(code <= 0x10ffff ? String.fromCodePoint(code) : "", "utf8");
}

/** Without what stands between the bytes of hexadecimal, letters in lower case. */
export function withoutSeparators(stream: Stream): Stream {
  return mapped(stream, hexTable);
}

/** Without line breaks, base64url as base64. */
export function withoutBreaks(stream: Stream): Stream {
  return mapped(stream, base64Table);
}

/** What each byte becomes; -1 for one that is left out. */
function tableOf(leftOut: string, from: string, to: string): Int16Array {
  const table = Int16Array.from({ length: 256 }, (_, byte) => byte);
  for (const char of leftOut) table[char.charCodeAt(0)] = -1;
  for (let i = 0; i < from.length; i++) table[from.charCodeAt(i)] = to.charCodeAt(i);
  return table;
}

const hexTable = tableOf(" :-\r\n", "ABCDEF", "abcdef");
const base64Table = tableOf("\r\n", "-_", "+/");

function mapped({ bytes, starts, ends }: Stream, table: Int16Array): Stream {
  const kept = Buffer.alloc(bytes.length);
  const from = new Uint32Array(bytes.length);
  const to = new Uint32Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = table[bytes[i] ?? 0] ?? -1;
    if (byte < 0) continue;
    kept[length] = byte;
    from[length] = starts[i] ?? 0;
    to[length] = ends[i] ?? 0;
    length++;
  }
  return { bytes: kept.subarray(0, length), starts: from.subarray(0, length), ends: to.subarray(0, length) };
}
