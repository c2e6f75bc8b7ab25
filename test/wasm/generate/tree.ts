/** What the generator builds: modules as trees, so that shrinking is structural and every tree has one encoding. */

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "funcref" | "externref";
export type Types = readonly ValueType[];
export type FuncType = { readonly params: Types; readonly results: Types };

/** One immediate. `index` is an unsigned LEB128 that may be written longer than it must be. */
export type Immediate =
  | { readonly kind: "index"; readonly value: number }
  | { readonly kind: "i32"; readonly value: number }
  | { readonly kind: "i64"; readonly value: bigint }
  | { readonly kind: "bytes"; readonly value: readonly number[] }
  | { readonly kind: "type"; readonly value: FuncType };

/** The operands above the block's base before an instruction; `dead` after an unconditional branch. */
export type Before = { readonly stack: Types; readonly dead: boolean };

export type PlainNode = {
  readonly kind: "plain";
  readonly name: string;
  readonly immediates: readonly Immediate[];
  readonly before: Before;
};

export type BlockNode = {
  readonly kind: "block";
  readonly name: "block" | "loop" | "if";
  readonly type: FuncType;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[] | null;
  readonly before: Before;
};

export type Node = PlainNode | BlockNode;

export type FunctionTree = {
  readonly type: FuncType;
  readonly locals: Types;
  readonly body: readonly Node[];
  /** The state digest is no part of the generated program: it is neither counted nor shrunk. */
  readonly helper: boolean;
};

/** A constant initialiser. */
export type Constant = PlainNode;

export type TableTree = {
  readonly type: "funcref" | "externref";
  readonly initial: number;
  readonly maximum: number | null;
};

/** An element segment of one of the eight kinds of the binary; `items` are function indices or null. */
export type ElementTree = {
  readonly kind: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
  readonly type: "funcref" | "externref";
  readonly table: number;
  readonly offset: number;
  readonly items: readonly (number | null)[];
};

/** A data segment; `offset` null is passive. `explicit` names memory 0 in the binary. */
export type DataTree = {
  readonly offset: number | null;
  readonly explicit: boolean;
  readonly bytes: readonly number[];
};

export type ExportTree = {
  readonly name: string;
  readonly kind: "function" | "table" | "memory" | "global";
  readonly index: number;
};

export type ImportTree = { readonly module: string; readonly name: string; readonly type: FuncType };

/** A call of an export. Arguments are what the JavaScript interface takes; no float among them is a NaN. */
export type Call = readonly [name: string, ...args: readonly (number | bigint | string | null)[]];

export type ModuleTree = {
  readonly seed: string;
  readonly imports: readonly ImportTree[];
  readonly functions: readonly FunctionTree[];
  readonly tables: readonly TableTree[];
  readonly memory: { readonly initial: number; readonly maximum: number | null } | null;
  readonly globals: readonly { readonly type: ValueType; readonly mutable: boolean; readonly init: Constant }[];
  readonly exports: readonly ExportTree[];
  readonly start: number | null;
  readonly elements: readonly ElementTree[];
  readonly data: readonly DataTree[];
  /** Ways of writing the same module. */
  readonly style: {
    readonly padded: boolean;
    readonly twins: boolean;
    readonly dataCount: boolean;
    readonly custom: boolean;
  };
  readonly calls: readonly Call[];
  /** No instruction of this module makes a NaN, so that the original itself is a reference. */
  readonly exact: boolean;
};

/** Greatest memory of a generated module, in pages; the cap it is sealed for. */
export const memoryCap = 4;

/** Fuel for the generated program's own loops and calls: its first global, set before every call. */
export const stepsExport = "steps";
export const stepsGiven = 120;
export const digestExport = "digest";

const typeBytes: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  funcref: 0x70,
  externref: 0x6f,
};

/** A value type's byte in the binary. */
export function typeByte(type: ValueType): number {
  return typeBytes[type];
}

/** Are two lists of types the same? */
export function sameTypes(one: Types, other: Types): boolean {
  return one.length === other.length && one.every((type, index) => type === other[index]);
}
