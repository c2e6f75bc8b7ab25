import { NOTHING } from "./fault";
import { Value } from "../../sdk/assembly/value";

export const END: i32 = 0;
export const NAME: i32 = 1;
export const QUOTED_NAME: i32 = 2;
export const LITERAL: i32 = 3;
export const NUMBER: i32 = 4;
export const CURRENT: i32 = 5;
export const RIGHT_BRACKET: i32 = 6;
export const RIGHT_BRACE: i32 = 7;
export const RIGHT_PAREN: i32 = 8;
export const COMMA: i32 = 9;
export const COLON: i32 = 10;
export const REFERENCE: i32 = 11;
export const PIPE: i32 = 12;
export const OR: i32 = 13;
export const AND: i32 = 14;
export const EQUAL: i32 = 15;
export const NOT_EQUAL: i32 = 16;
export const LESS: i32 = 17;
export const LESS_OR_EQUAL: i32 = 18;
export const GREATER: i32 = 19;
export const GREATER_OR_EQUAL: i32 = 20;
export const FLATTEN: i32 = 21;
export const STAR: i32 = 22;
export const FILTER: i32 = 23;
export const DOT: i32 = 24;
export const NOT: i32 = 25;
export const LEFT_BRACE: i32 = 26;
export const LEFT_BRACKET: i32 = 27;
export const LEFT_PAREN: i32 = 28;

/** What a token of each kind looks like, for messages. */
const LOOKS = [
  "the end", "a name", "a quoted name", "a literal", "a number", "@", "]", "}", ")", ",", ":", "&", "|", "||", "&&", "==", "!=",
  "<", "<=", ">", ">=", "[]", "*", "[?", ".", "!", "{", "[", "(",
];

/** How strongly a token binds what stands before it; 0 for those that can't follow an expression. */
const POWERS: StaticArray<i32> = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 5, 5, 5, 5, 5, 5, 9, 20, 21, 40, 45, 50, 55, 60,
];

/** A token; `at` is its first byte in the expression. */
export class Token {
  /** The text of a name, the document of a literal. */
  value: Value = NOTHING;
  number: i64 = 0;

  constructor(public kind: i32, public at: usize) {}

  get power(): i32 {
    return POWERS[this.kind];
  }

  get looks(): string {
    return LOOKS[this.kind];
  }
}

/** What a token of this kind looks like. */
export function looksOf(kind: i32): string {
  return LOOKS[kind];
}
