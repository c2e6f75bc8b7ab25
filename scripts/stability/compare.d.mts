/** Types of compare.mjs, for its test. */
type Fields = Readonly<Record<string, unknown>>;
export function readTree(folder: string): Map<string, Uint8Array>;
export function differenceOf(
  one: ReadonlyMap<string, Uint8Array>,
  other: ReadonlyMap<string, Uint8Array>,
  prefix?: string,
): string | undefined;
export function firstDifference(a: Uint8Array, b: Uint8Array): number;
export function differenceOfCases(
  one: Readonly<Record<string, Fields>>,
  other: Readonly<Record<string, Fields>>,
): string | undefined;
export function differenceOfFields(one: Fields, other: Fields): string | undefined;
