/** What follows an opcode in the binary. */
export type Immediate =
  | "none"
  | "block"
  | "label"
  | "labels"
  | "function"
  | "indirect"
  | "local"
  | "global"
  | "table"
  | "types"
  | "memarg"
  | "memarg-lane"
  | "memory"
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "v128"
  | "lane"
  | "heap"
  | "data-memory"
  | "data"
  | "memory-memory"
  | "element-table"
  | "element"
  | "table-table";

/** A feature beyond the first version of WebAssembly that is admitted. */
export type Feature =
  | "sign-extension"
  | "saturating-conversion"
  | "multi-value"
  | "mutable-globals"
  | "bulk-memory"
  | "reference-types"
  | "simd";

/** A type whose arithmetic may make a NaN. */
export type FloatShape = "f32" | "f64" | "f32x4" | "f64x2";

/** What an instruction does beyond moving operands. */
export type Traits = {
  readonly feature?: Feature;
  /** Float arithmetic: its result may be a NaN, whose bits the engine chooses. */
  readonly nan?: FloatShape;
  /** The bits of this many of its topmost operands come out in its result or effect. */
  readonly observes?: number;
  /** What it observes, it takes as this, and of a NaN only that it is one. */
  readonly takes?: FloatShape;
  /** Its result is a scalar float that is no NaN. */
  readonly number?: true;
};

/**
 * One admitted instruction. `code` is the opcode byte, 0x100 plus the sub-opcode of prefix 0xFC, or 0x200 plus that of
 * prefix 0xFD. `pops` and `pushes` count operands; -1 where they depend on types.
 */
export type Opcode = Traits & {
  readonly code: number;
  readonly name: string;
  readonly immediate: Immediate;
  readonly pops: number;
  readonly pushes: number;
};

/** Consecutive opcodes of one shape; names are separated by spaces, `-` leaves a code out. */
export function rows(
  first: number,
  names: string,
  immediate: Immediate,
  pops: number,
  pushes: number,
  traits: Traits = {},
): Opcode[] {
  return names
    .split(" ")
    .map((name, index) => ({ code: first + index, name, immediate, pops, pushes, ...traits }))
    .filter(({ name }) => !name.endsWith("-"));
}

/** `prefix.name` for every name. */
export function all(prefix: string, names: string): string {
  return names
    .split(" ")
    .map((name) => `${prefix}.${name}`)
    .join(" ");
}
