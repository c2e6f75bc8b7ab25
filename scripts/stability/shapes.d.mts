/** Types of shapes.mjs, for the attack tests. */
export function assemble(source: string): Uint8Array;
export function shapesOf(few: boolean): { readonly name: string; readonly source: string; readonly warm: boolean }[];
