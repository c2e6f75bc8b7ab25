import type { Trust } from "../../src/contracts/trust.js";
import type { ErrorCode } from "../../src/errors.js";

/** A file under a trust file, and what it is meant to show. */
export type Case = {
  /** One line for people: what it is, or what is wrong with it. */
  readonly about: string;
  readonly bytes: Uint8Array;
  readonly trust: Trust;
  /** The check that must not pass, and its code. None for a case that must be accepted. */
  readonly wrong?: { readonly check: string; readonly code: ErrorCode };
  /** The accepted case one change away. Default: found among the honest files (kit.ts). */
  readonly twin?: Case;
};
