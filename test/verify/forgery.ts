import type { Trust } from "../../src/contracts/trust.js";
import type { ErrorCode } from "../../src/errors.js";
import type { CheckState } from "../../src/verify/report.js";
import type { Bundles, Ending } from "../support/bundles.js";
import { Forge } from "../support/forge.js";

/** A bundle that is wrong in one way, and which checks must say so. */
export type Forgery = {
  /** The check this forgery is about. */
  readonly check: string;
  readonly name: string;
  readonly of: Ending;
  readonly code: ErrorCode;
  /** Default: fail. */
  readonly state?: Extract<CheckState, "fail" | "unable">;
  /** Every check that does not pass. Default: the one it is about, alone. */
  readonly caught?: readonly string[];
  readonly trust?: (trust: Trust) => Trust;
  make(forge: Forge, bytes: Uint8Array, all: Bundles): Promise<Uint8Array> | Uint8Array;
};

/** A forgery that edits a forge and packs it again, signed by the honest runtime and logged by the honest log. */
export function forged(
  facts: Pick<Forgery, "check" | "name" | "of" | "code"> & Partial<Pick<Forgery, "state" | "caught" | "trust">>,
  edit: (forge: Forge, all: Bundles) => unknown,
): Forgery {
  return {
    ...facts,
    make: async (forge, _bytes, all) => {
      await edit(forge, all);
      return await forge.pack();
    },
  };
}

const made = new Map<Forgery, Promise<Uint8Array>>();

/** Makes a forgery's file, once. */
export async function makeForgery(forgery: Forgery, all: Bundles): Promise<Uint8Array> {
  const make = async (): Promise<Uint8Array> => {
    const bytes = all.bytes[forgery.of];
    return await forgery.make(new Forge(bytes), bytes, all);
  };
  const known = made.get(forgery) ?? make();
  made.set(forgery, known);
  return await known;
}

/** `sha256:` and one digit 64 times. */
export function someDigest(digit: string): `sha256:${string}` {
  return `sha256:${digit.repeat(64)}`;
}
