import { ExoArmurError } from "../errors.js";

const KEY = /^[ -~]{1,400}$/;

/** Throws EXO_INTERNAL unless `key` is 1 to 400 characters of printable ASCII, as the Store port demands. */
export function requireKey(key: string): void {
  if (!KEY.test(key)) {
    throw new ExoArmurError(
      "EXO_INTERNAL",
      `A store key must be 1 to 400 printable ASCII characters, got ${key.length} characters.`,
    );
  }
}
