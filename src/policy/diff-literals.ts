/** Values of a member that may be one, several or absent. */
export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** Characters of hosts, schemes and paths. Without p and s, which could complete a scheme that has a port of its own. */
export const narrowPool = "xzqjkvwybcdefghilmnortua0123456789";

/** The same, and more than a policy could use up. */
export const widePool = `${narrowPool}${Array.from({ length: 6000 }, (_, at) => String.fromCharCode(0x4e00 + at)).join("")}`;

/** A character that none of the texts has after `start`. */
export function nextCharacter(start: string, texts: readonly string[], pool: string): string | undefined {
  const used = new Set(texts.filter((text) => text.startsWith(start)).map((text) => text.charAt(start.length)));
  for (const char of pool) if (!used.has(char)) return char;
  return undefined;
}
