import type { Random } from "./random.js";
import type { PlainOp } from "./scalar-ops.js";
import type { ElementTree, FuncType, ImportTree, TableTree, ValueType } from "./tree.js";

/** A function as callers see it. A leaf takes no steps and calls only leaves before it. */
export type Callee = { readonly type: FuncType; readonly kind: "import" | "leaf" | "general" };

/** What the bodies of one module can name. */
export type Env = {
  readonly random: Random;
  readonly types: readonly ValueType[];
  readonly ops: readonly PlainOp[];
  readonly imports: readonly ImportTree[];
  /** Argument that is charged by its size, by import index. */
  readonly lengthArgs: ReadonlyMap<number, number>;
  /** Imports first. */
  readonly functions: readonly Callee[];
  /**
   * Functions that may be called through a table or a reference: not the imports that charge for a length, whose
   * argument would be anything.
   */
  readonly referable: readonly number[];
  readonly tables: readonly TableTree[];
  /** Functions in each table at the start; undefined where the slot is null. */
  readonly slots: readonly (readonly (number | undefined)[])[];
  readonly memory: { readonly initial: number } | null;
  /** Global 0 is the step counter. */
  readonly globals: readonly { readonly type: ValueType; readonly mutable: boolean }[];
  readonly elements: readonly ElementTree[];
  readonly dataSegments: number;
  /** How often operands are left to trap: 0 is never. */
  readonly daring: number;
  /** How much is written to few locals, to be chosen from and joined again; 1 is usual. */
  readonly flowing: number;
  /** How much of a body is control flow; 1 is usual. */
  readonly branchy: number;
};
