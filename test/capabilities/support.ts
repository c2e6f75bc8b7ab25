import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import type { CapabilityName } from "../../src/contracts/imports.js";
import { type CapabilityGrant, type Constraints, defaultLimits, type Grants } from "../../src/contracts/manifest.js";
import { decodeBase64Url } from "../../src/crypto/encoding.js";
import type { AbiValue, GuestAnswer, GuestCall } from "../../src/ports.js";

/** Grants of exactly these capabilities. */
export function grantsOf(granted: Partial<Record<CapabilityName, Constraints>>): Grants {
  const capabilities = Object.entries(granted).map(
    ([name, constraints]) => ({ name, constraints }) as unknown as CapabilityGrant,
  );
  return { schema: "exoarmur.grants/v1", capabilities, limits: defaultLimits };
}

/** A guest's call with a well-formed request. */
export function callOf(seq: number, capability: string, request: AbiValue, fuel = 100 + seq): GuestCall {
  return { seq, capability, request: encodeAbi(request), fuel };
}

/** What the guest reads; fails for a stop. */
export function answerOf(answer: GuestAnswer): unknown {
  if (answer.kind !== "answer") throw new Error(`stopped: ${answer.status} ${answer.code}`);
  return decodeAbi(answer.response, { maxBytes: 1 << 26 });
}

/** The error code the guest reads. */
export function codeOf(answer: GuestAnswer): string {
  return (answerOf(answer) as { error: { code: string } }).error.code;
}

/** A recorded response, decoded. */
export function recorded(response: string): unknown {
  return decodeAbi(decodeBase64Url(response) ?? new Uint8Array());
}

/** A signal that never aborts. */
export const calm = new AbortController().signal;

const made: string[] = [];

// Roots are made inside and outside of tests alike, so they go when the file is done.
afterAll(() => {
  for (const base of made.splice(0)) rmSync(base, { recursive: true, force: true });
});

/** A fresh folder with an empty root `data` and, beside it, `outside`. */
export function makeRoots(): { readonly base: string; readonly data: string; readonly outside: string } {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "exo-fs-")));
  made.push(base);
  const data = join(base, "data");
  const outside = join(base, "outside");
  mkdirSync(data);
  mkdirSync(outside);
  return { base, data, outside };
}
