import { encodeAbi } from "../../canonical/msgpack.js";

/** Longest log line in bytes of UTF-8; the rest is cut off (spec/abi.md). */
export const lineBytes = 4096;

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** The request of the capability `log` for a line as the guest wrote it (spec/abi.md). */
export function logRequest(level: string, line: Uint8Array): Uint8Array {
  const text = lenient.decode(cutCharacters(line, lineBytes));
  // What was not UTF-8 has become longer.
  const { read } = encoder.encodeInto(text, new Uint8Array(lineBytes));
  return encodeAbi({ level, message: text.slice(0, read) });
}

/** At most the first `most` bytes, cut before a UTF-8 character that continues past the cut. */
export function cutCharacters(bytes: Uint8Array, most: number): Uint8Array {
  let end = Math.min(bytes.byteLength, most);
  if (end < bytes.byteLength) {
    while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) {
      end--;
    }
  }
  return bytes.subarray(0, end);
}
