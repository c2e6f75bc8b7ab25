import type { ErrorCode } from "../errors.js";

/** One reason why a module is not admitted. `offset` counts bytes from the start of the module. */
export type Reason = { readonly code: ErrorCode; readonly message: string; readonly offset?: number };

/** Reasons kept at most; a hostile module could otherwise make millions. */
const keptReasons = 100;

/** Raised inside this folder to leave a body or a module whose reason has been noted already. Never leaves the folder. */
export class Halt extends Error {}

/** Raised by the reader for bytes that have no decoding. Never leaves the folder. */
export class Malformed extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Collects reasons and the features a module uses. */
export class Findings {
  readonly reasons: Reason[] = [];
  /** Feature name and the byte offset of its first use, in order of appearance. */
  readonly features = new Map<string, number>();

  /** Notes a reason and goes on. Throws Halt when there are too many to go on with. */
  note(code: ErrorCode, message: string, offset?: number): void {
    this.reasons.push({
      code,
      message: offset === undefined ? message : `${message} (at byte ${offset})`,
      ...(offset === undefined ? {} : { offset }),
    });
    if (this.reasons.length >= keptReasons) {
      throw new Halt();
    }
  }

  /** Notes a reason and leaves the present body or module. */
  halt(code: ErrorCode, message: string, offset?: number): never {
    this.note(code, message, offset);
    throw new Halt();
  }

  /** Records the use of an admitted feature. */
  use(feature: string, offset: number): void {
    if (!this.features.has(feature)) {
      this.features.set(feature, offset);
    }
  }

  /** Runs `work`, turning malformed bytes into a reason. True when it came to its end. */
  guard(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (error instanceof Malformed) {
        try {
          this.note("EXO_WASM_INVALID", error.message, error.offset);
        } catch {
          // Too many reasons already; this one is dropped.
        }
        return false;
      }
      if (error instanceof Halt) {
        return false;
      }
      throw error;
    }
  }

  /** True when no further reason will be kept. */
  get full(): boolean {
    return this.reasons.length >= keptReasons;
  }
}

/** A guest-chosen name for a message: printable ASCII, quoted, at most 80 characters. */
export function showName(name: string): string {
  const cut = name.length > 80 ? `${name.slice(0, 80)}...` : name;
  const safe = cut.replace(/[^\x21-\x7e]|["\\]/g, (char) => `\\u{${char.charCodeAt(0).toString(16)}}`);
  return `"${safe}"`;
}
