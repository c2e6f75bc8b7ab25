import { readFileSync, writeFileSync } from "node:fs";

const page = 4096;

/** Flips one bit at each of these offsets of a file. */
export function flipBits(file: string, offsets: readonly number[]): void {
  const bytes = readFileSync(file);
  for (const at of offsets) bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

/** Offset of the root page of an LMDB file's main tree, as its newer meta page names it. */
export function rootPageOffset(file: string): number {
  const bytes = readFileSync(file);
  const [first, second] = [bytes.readBigUInt64LE(152), bytes.readBigUInt64LE(page + 152)];
  return Number(bytes.readBigUInt64LE((second > first ? page : 0) + 96 + 40)) * page;
}

/** Every place where a text stands in a file; pages that were replaced may still hold copies. */
export function offsetsOf(file: string, text: string): number[] {
  const bytes = readFileSync(file);
  const found: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) found.push(at);
  return found;
}
