import { Bytes } from "./bytes.js";
import type { Random } from "./random.js";

/** A module as sections; `bodies` are those of the code section. Made from bytes that need not be a module. */
type Parts = { id: number; payload: number[] }[];

const interesting = [
  0, 1, 0x0b, 0x40, 0x7f, 0x80, 0xff, 0x60, 0x70, 0x6f, 0x7b, 0x05, 0xfb, 0xfc, 0xfd, 0xfe, 0x23, 0x24,
];

/** Numbers as they may stand in a damaged module: at the edges of their widths, over-long, too long, unending. */
const numbers: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x1f],
  [0x80, 0x80, 0x80, 0x80, 0x00],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
  [0x80, 0x94, 0xeb, 0xdc, 0x03],
  [0x80, 0x80, 0x80, 0x80, 0x78],
  [0x80, 0x80, 0x80, 0x80, 0x70],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x81, 0x00],
  [0xff, 0x7f],
];

/** A damaged copy of `bytes`; `other` lends pieces. One to four changes, of bytes or of the module's structure. */
export function mutate(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let damaged = Array.from(bytes);
  for (let change = random.one([1, 1, 1, 1, 2, 4]); change > 0; change -= 1) {
    const make = random.weighted<(of: number[]) => number[]>([
      [3, (of) => damageBytes(random, of, other)],
      [4, (of) => damageSections(random, of, (payload) => damageBytes(random, payload, other))],
      [4, (of) => damageBodies(random, of, other)],
      [1, (of) => rearrange(random, of)],
    ]);
    damaged = make(damaged);
  }
  return Uint8Array.from(damaged);
}

function damageBytes(random: Random, bytes: number[], other: Uint8Array): number[] {
  const from = random.next(bytes.length + 1);
  const to = Math.min(bytes.length, from + 1 + random.next(random.one([1, 4, 30])));
  const middle = random.weighted<() => readonly number[]>([
    [4, () => [(bytes[from] ?? 0) ^ (1 << random.next(8)), ...bytes.slice(from + 1, to)]],
    [4, () => [random.one(interesting), ...bytes.slice(from + 1, to)]],
    [2, () => [random.next(256), ...bytes.slice(from, to)]],
    [2, () => []],
    [1, () => [...bytes.slice(from, to), ...bytes.slice(from, to)]],
    [2, () => [...random.one(numbers), ...bytes.slice(from + 1, to)]],
    [1, () => bytes.slice(from, to).toReversed()],
    [1, () => piece(random, other)],
  ])();
  return [...bytes.slice(0, from), ...middle, ...bytes.slice(to)];
}

function piece(random: Random, other: Uint8Array): number[] {
  const at = random.next(other.length);
  return Array.from(other.subarray(at, at + random.next(40)));
}

/** Reads sections as far as they go. */
function split(bytes: readonly number[]): Parts {
  const parts: Parts = [];
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at] as number;
    const size = number(bytes, at + 1);
    parts.push({ id, payload: bytes.slice(size.end, size.end + size.value) });
    at = size.end + size.value;
  }
  return parts;
}

function number(bytes: readonly number[], start: number): { value: number; end: number } {
  let value = 0;
  let end = start;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[end] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    end += 1;
    if (byte < 0x80) {
      break;
    }
  }
  return { value, end };
}

function join(head: readonly number[], parts: Parts): number[] {
  const out = new Bytes();
  out.append(head);
  for (const { id, payload } of parts) {
    out.raw(id);
    out.u32(payload.length);
    out.append(payload);
  }
  return out.out;
}

/** Changes one section's payload and makes its size fit again. */
function damageSections(random: Random, bytes: readonly number[], change: (payload: number[]) => number[]): number[] {
  const parts = split(bytes);
  const part = parts.length === 0 ? undefined : random.one(parts);
  if (part !== undefined) {
    part.payload = change(part.payload);
  }
  return join(bytes.slice(0, 8), parts);
}

/** Changes one function's body and makes every size around it fit again. */
function damageBodies(random: Random, bytes: readonly number[], other: Uint8Array): number[] {
  const parts = split(bytes);
  const code = parts.find(({ id }) => id === 10);
  if (code !== undefined) {
    const count = number(code.payload, 0);
    const bodies: number[][] = [];
    for (let at = count.end; at < code.payload.length; ) {
      const size = number(code.payload, at);
      bodies.push(code.payload.slice(size.end, size.end + size.value));
      at = size.end + size.value;
    }
    const chosen = random.next(Math.max(1, bodies.length));
    const out = new Bytes();
    out.u32(count.value);
    bodies.forEach((body, index) => {
      const written = index === chosen ? damageBytes(random, body, other) : body;
      out.u32(written.length);
      out.append(written);
    });
    code.payload = out.out;
  }
  return join(bytes.slice(0, 8), parts);
}

/** Sections twice, missing, swapped, of another kind, or with a size that is not theirs. */
function rearrange(random: Random, bytes: readonly number[]): number[] {
  const parts = split(bytes);
  if (parts.length === 0) {
    return [...bytes];
  }
  const index = random.next(parts.length);
  const part = random.one(parts);
  const head = bytes.slice(0, 8);
  return random.weighted<() => number[]>([
    [2, () => join(head, parts.toSpliced(index, 0, part))],
    [2, () => join(head, parts.toSpliced(index, 1))],
    [1, () => join(head, parts.toSpliced(index, 0, { id: random.next(16), payload: part.payload }))],
    [1, () => join(head, parts.toSpliced(index, 1, { id: random.next(16), payload: part.payload }))],
    [1, () => [...join(head, parts.slice(0, index)), part.id, ...random.one(numbers), ...part.payload]],
    [1, () => bytes.slice(0, random.next(bytes.length))],
  ])();
}
