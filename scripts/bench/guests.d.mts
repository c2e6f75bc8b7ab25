/** Types of guests.mjs, for its test. */
export type Guest = {
  readonly name: string;
  readonly language: "c" | "rust" | "as";
  readonly kind: string;
  readonly simd: boolean;
};
export const guestFolder: URL;
export const guests: readonly Guest[];
export function readGuest(name: string): Buffer;
export function compareGuests(modules: ReadonlyMap<string, Buffer>, folder?: URL): string[];
