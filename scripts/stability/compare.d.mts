/** Types of compare.mjs, for its test. */
export function readTree(folder: string): Map<string, Uint8Array>;
export function differenceOf(
  one: ReadonlyMap<string, Uint8Array>,
  other: ReadonlyMap<string, Uint8Array>,
  prefix?: string,
): string | undefined;
export function firstDifference(a: Uint8Array, b: Uint8Array): number;
