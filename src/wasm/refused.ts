/** Opcodes that are known and refused: first and last code of a range, and the feature that brings them. */
type Range = readonly [first: number, last: number, feature: string];

const singleByte: readonly Range[] = [
  [0x06, 0x0a, "exceptions"],
  [0x12, 0x13, "tail calls"],
  [0x14, 0x15, "typed function references"],
  [0x18, 0x19, "exceptions"],
  [0x1f, 0x1f, "exceptions"],
  [0xd3, 0xd3, "garbage collection"],
  [0xd4, 0xd6, "typed function references"],
  [0xe0, 0xe6, "stack switching"],
];

const prefixes: Readonly<Record<number, readonly Range[]>> = {
  251: [[0, 0xffff_ffff, "garbage collection"]],
  252: [
    [15, 15, "table.grow"],
    [18, 18, "memory control"],
    [19, 22, "wide arithmetic"],
  ],
  253: [[0x100, 0xffff_ffff, "relaxed SIMD"]],
  254: [[0, 0xffff_ffff, "threads"]],
};

function lookUp(ranges: readonly Range[], code: number): string {
  return ranges.find(([first, last]) => code >= first && code <= last)?.[2] ?? "an unknown instruction";
}

/** The feature a refused instruction belongs to, for messages. */
export function refusedInstruction(byte: number, sub?: number): string {
  return sub === undefined ? lookUp(singleByte, byte) : lookUp(prefixes[byte] ?? [], sub);
}

const types: readonly Range[] = [
  [0x77, 0x78, "garbage collection"],
  [0x69, 0x69, "exceptions"],
  [0x6a, 0x6e, "garbage collection"],
  [0x71, 0x73, "garbage collection"],
  [0x74, 0x74, "exceptions"],
  [0x63, 0x64, "typed function references"],
  [0x5e, 0x5f, "garbage collection"],
  [0x4e, 0x50, "garbage collection"],
];

/** The feature a refused value or composite type belongs to, for messages. */
export function refusedType(byte: number): string {
  const feature = lookUp(types, byte);
  return feature === "an unknown instruction" ? "an unknown type" : feature;
}
