import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";

/** What a leaf stands for: a canonical event, a bundle's statement, or a record of something hypothetical. */
export type LeafKind = "event" | "bundle" | "shadow";

/** A leaf as written. `digest` is `sha256:<64 lower-case hex>`. */
export type Leaf = { readonly kind: LeafKind; readonly digest: string };

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const KINDS: ReadonlySet<string> = new Set<LeafKind>(["event", "bundle", "shadow"]);
const FORM = /^\{"digest":"(sha256:[0-9a-f]{64})","kind":"(event|bundle|shadow)","schema":"exoarmur\.leaf\/v1"\}$/;

const encoder = new TextEncoder();

/**
 * The bytes of a log leaf: the canonical JSON of {schema: "exoarmur.leaf/v1", kind, digest}. EXO_SCHEMA unless `digest`
 * is a digest text and `kind` a leaf kind (spec/log.md).
 */
export function leafBytes(kind: LeafKind, digest: string): Uint8Array {
  if (!KINDS.has(kind)) throw new ExoArmurError("EXO_SCHEMA", "A leaf's kind must be event, bundle or shadow.");
  if (!DIGEST.test(digest))
    throw new ExoArmurError("EXO_SCHEMA", "A leaf's digest must be sha256: and 64 lower-case hex digits.");
  // Both values need no escaping, so the canonical form is written out: this runs for every leaf.
  return encoder.encode(`{"digest":"${digest}","kind":"${kind}","schema":"exoarmur.leaf/v1"}`);
}

/** Reads leaf bytes back; undefined unless they are exactly what leafBytes writes. */
export function readLeaf(bytes: Uint8Array): Leaf | undefined {
  const match = FORM.exec(decodeUtf8(bytes) ?? "");
  const [, digest, kind] = match ?? [];
  return digest === undefined || kind === undefined ? undefined : { kind: kind as LeafKind, digest };
}
