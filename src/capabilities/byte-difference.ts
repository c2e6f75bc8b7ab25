import { encodeHex } from "../crypto/encoding.js";

/** Bytes shown before a difference, and from it on. */
const shownBefore = 16;
const shownAfter = 32;

/** Where two byte strings part, and what stands there on both sides, as lower-case hexadecimal (spec/replay.md). */
export type ByteDifference = {
  readonly offset: number;
  readonly bytes: { readonly from: number; readonly expected: string; readonly actual: string };
};

/** The first difference of two byte strings: the shorter's length where one begins the other, null when equal. */
export function firstDifference(expected: Uint8Array, actual: Uint8Array): ByteDifference | null {
  const shared = Math.min(expected.length, actual.length);
  let offset = 0;
  while (offset < shared && expected[offset] === actual[offset]) offset += 1;
  if (offset === expected.length && offset === actual.length) return null;
  const from = Math.max(0, offset - shownBefore);
  const around = (bytes: Uint8Array): string => encodeHex(bytes.subarray(from, offset + shownAfter));
  return { offset, bytes: { from, expected: around(expected), actual: around(actual) } };
}
