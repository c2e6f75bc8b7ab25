import { decodeBase64, decodeUtf8 } from "../../src/crypto/encoding.js";
import type { VerificationReport } from "../../src/verify/report.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import type { Loose } from "../support/forge.js";

/** One bit of a file: the byte's place, and the bit from the lowest on. */
export type Bit = readonly [at: number, bit: number];

/** How often flips ended in each way, and the flips that are neither found nor harmless. */
export type Flips = { failed: number; unsupported: number; readonly undetected: Bit[] };

type Options = Parameters<typeof verifyBundle>[1];

/**
 * Verifies the bundle with one bit flipped, for each of `bits`. A flip is found when the bundle then fails. It is
 * harmless when the bundle then claims another layout, and nothing else is changed: such a bundle ends as
 * unsupported_revision before its signature is looked at, since a build cannot judge a layout it does not know. That is
 * no pass, whoever reads the report. There is no bit that does not matter.
 */
export function flipBits(bundle: Uint8Array, bits: Iterable<Bit>, options: Options): Flips {
  const flips: Flips = { failed: 0, unsupported: 0, undetected: [] };
  const changed = bundle.slice();
  for (const [at, bit] of bits) {
    const before = changed[at] ?? 0;
    changed[at] = before ^ (1 << bit);
    const { result } = verifyBundle(changed, options);
    if (result === "fail") flips.failed += 1;
    else if (claimsAnotherLayout(result, bundle, changed)) flips.unsupported += 1;
    else flips.undetected.push([at, bit]);
    changed[at] = before;
  }
  return flips;
}

function claimsAnotherLayout(result: VerificationReport["result"], bundle: Uint8Array, changed: Uint8Array): boolean {
  if (result !== "unsupported_revision") return false;
  const [was, is] = [statementOf(bundle), statementOf(changed)];
  const revision: unknown = is.predicate.revisions.bundle;
  is.predicate.revisions.bundle = was.predicate.revisions.bundle;
  return revision !== was.predicate.revisions.bundle && JSON.stringify(is) === JSON.stringify(was);
}

function statementOf(bundle: Uint8Array): Loose {
  const { envelope } = JSON.parse(decodeUtf8(bundle) ?? "") as Loose;
  return JSON.parse(decodeUtf8(decodeBase64(envelope.payload as string) ?? new Uint8Array(0)) ?? "");
}
