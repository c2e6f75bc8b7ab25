import { KIND_NULL, Value } from "../../sdk/assembly/value";

/** The kinds of errors of the JMESPath specification. */
export const SYNTAX = "syntax";
export const INVALID_TYPE = "invalid-type";
export const INVALID_VALUE = "invalid-value";
export const INVALID_ARITY = "invalid-arity";
export const UNKNOWN_FUNCTION = "unknown-function";

/** What every missing or failed value is. */
export const NOTHING = new Value(KIND_NULL);

let first: string | null = null;

/** Records what is wrong at a byte of the expression, unless something already is. Whoever computes goes on with null. */
export function raise(kind: string, at: usize, what: string): Value {
  if (first === null) first = kind + " at byte " + at.toString() + ": " + what;
  return NOTHING;
}

/** Whether something is wrong: loops end then. */
export function raised(): bool {
  return first !== null;
}

/** What was wrong first, null when nothing was. */
export function problem(): string | null {
  return first;
}
