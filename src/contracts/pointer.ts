import type { JsonValue } from "../canonical/jcs.js";

/** Tokens of a JSON pointer (RFC 6901); none for the empty pointer, which is the whole document. */
export function pointerTokens(pointer: string): readonly string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The value the tokens point at, undefined when there is none. Own members only; array indexes without leading zeros. */
export function valueAt(root: JsonValue, tokens: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const token of tokens) {
    if (typeof value !== "object" || value === null) return undefined;
    if (Array.isArray(value)) {
      const index = Number(token);
      if (!Number.isInteger(index) || index < 0 || String(index) !== token) return undefined;
      value = (value as readonly JsonValue[])[index];
    } else {
      value = Object.hasOwn(value, token) ? (value as { readonly [key: string]: JsonValue })[token] : undefined;
    }
    if (value === undefined) return undefined;
  }
  return value;
}

/** Value at a JSON pointer. Policies, targets and effect keys all read by this, so that they cannot see two values. */
export function readPointer(value: JsonValue, pointer: string): JsonValue | undefined {
  return valueAt(value, pointerTokens(pointer));
}
