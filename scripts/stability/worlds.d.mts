/** Types of worlds.mjs, for the long tests. */
export type Binary = { readonly path: string; readonly version: string; readonly flags: ReadonlySet<string> };
export type Way = { readonly name: string; readonly flags: readonly string[] };
export const nodeVersions: readonly string[];
export const marginWays: readonly Way[];
export function binariesOf(variable?: string): Binary[];
export function unknownFlags(way: Way, known: ReadonlySet<string>): string[];
