import { isExoArmurError } from "../../src/errors.js";

/** The code of the ExoArmurError `run` throws; anything else it does fails the test. */
export function codeOf(run: () => unknown): string {
  return errorOf(run).code;
}

/** The ExoArmurError `run` throws. */
export function errorOf(run: () => unknown): { code: string; message: string; place: object } {
  let value: unknown;
  try {
    value = run();
  } catch (error) {
    if (isExoArmurError(error)) return error;
    throw error;
  }
  throw new Error(`expected an ExoArmurError, got ${String(value)}`);
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
