import type { Digest } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { bundleMediaType } from "../contracts/bundle.js";
import type { Envelope } from "../contracts/dsse.js";
import { encodeBase64 } from "../crypto/encoding.js";

/** What a caller holds of a bundle. Nothing is encoded before `bytes()` is asked for. */
export type BundleHandle = {
  /** SHA-256 of the signed statement's bytes: the digest of the bundle's leaf in the log. */
  readonly digest: Digest;
  /** The `*.proof.json` file: canonical JSON, the same bytes at every call. */
  bytes(): Uint8Array;
};

/** Parts of a bundle. `logProof` is c2sp.org/tlog-proof@v1 text for the bundle's own leaf. */
export type BundleParts = {
  readonly envelope: Envelope;
  readonly materials: ReadonlyMap<Digest, Uint8Array>;
  readonly logProof: string;
};

/** Canonical bytes of a `*.proof.json` file (spec/bundle.md). */
export function encodeBundle(parts: BundleParts): Uint8Array {
  const materials: Record<string, string> = {};
  for (const [digest, bytes] of parts.materials) materials[digest] = encodeBase64(bytes);
  return canonicalize(
    { mediaType: bundleMediaType, envelope: parts.envelope, materials, logProof: parts.logProof },
    { maxBytes: 1_073_741_824 },
  );
}

/** Wraps a bundle so that the file is put together on the first call of `bytes()` and kept. */
export function bundleHandle(digest: Digest, gather: () => BundleParts): BundleHandle {
  let made: Uint8Array | undefined;
  return {
    digest,
    bytes: () => {
      made ??= encodeBundle(gather());
      return made.slice();
    },
  };
}
