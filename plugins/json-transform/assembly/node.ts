import { Value } from "../../sdk/assembly/value";
import { NOTHING } from "./fault";

export const N_CURRENT: i32 = 0;
export const N_LITERAL: i32 = 1;
export const N_FIELD: i32 = 2;
export const N_INDEX: i32 = 3;
export const N_SLICE: i32 = 4;
/** Children are evaluated one on the value of the other: `a.b`, `a[0]`, `a | b`. */
export const N_CHAIN: i32 = 5;
/** Children: what to project, and what to take of each element. */
export const N_LIST_PROJECTION: i32 = 6;
export const N_OBJECT_PROJECTION: i32 = 7;
/** As a list projection, with the condition as third child. */
export const N_FILTER_PROJECTION: i32 = 8;
export const N_FLATTEN: i32 = 9;
export const N_OR: i32 = 10;
export const N_AND: i32 = 11;
export const N_NOT: i32 = 12;
/** `number` is the token kind of the operator. */
export const N_COMPARISON: i32 = 13;
export const N_LIST: i32 = 14;
/** `keys` name the children. */
export const N_OBJECT: i32 = 15;
/** `number` is the function's row. */
export const N_CALL: i32 = 16;
/** An expression as an argument of a function: `&a`. */
export const N_REFERENCE: i32 = 17;

/** A node of a parsed expression. */
export class Node {
  children: Node[] = [];
  /** A field's name, a literal's document. */
  value: Value = NOTHING;
  number: i64 = 0;
  /** Of a slice; `has` says which of start, stop and step are given, as bits 1, 2 and 4. */
  stop: i64 = 0;
  step: i64 = 1;
  has: i32 = 0;
  keys: Value[] = [];
  /** Levels of nodes from here down. */
  depth: i32 = 1;

  /** `at` is a byte of the expression, for messages. */
  constructor(public kind: i32, public at: usize) {}

  add(child: Node): Node {
    this.children.push(child);
    this.depth = max(this.depth, child.depth + 1);
    return this;
  }
}
