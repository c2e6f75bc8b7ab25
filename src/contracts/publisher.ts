import { z } from "zod";
import { digestOf } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { equalBytes } from "../crypto/encoding.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import { base64Schema } from "./common.js";
import { type Envelope, type EnvelopeSigner, openEnvelope, payloadTypes } from "./dsse.js";
import { type ExecutorManifest, manifestSchema } from "./manifest.js";

/** A publisher's key as far as it counts at one place in the log. `id` null stands for any publisher (a self-check). */
export type PublisherKey = { readonly id: string | null; readonly publicKey: Uint8Array };

/**
 * Opens a signed manifest (spec/keys.md, Publishers): the payload must be the resolved manifest byte for byte, the
 * manifest must name a publisher, and every signature must be by a key of that publisher. EXO_PLUGIN_SIGNATURE for an
 * envelope of another manifest or without a publisher; EXO_TRUST when no key of the publisher counts; EXO_ENVELOPE,
 * EXO_KEY_REFUSED, EXO_SIGNATURE.
 *
 * @param bytes canonical bytes of the resolved manifest
 */
export function openSignedManifest(
  envelope: Envelope,
  { publisher, name }: Pick<ExecutorManifest, "publisher" | "name">,
  bytes: Uint8Array,
  keys: readonly PublisherKey[],
): Result<readonly EnvelopeSigner[]> {
  if (publisher === undefined) {
    return refuse("EXO_PLUGIN_SIGNATURE", `${name}: it is signed, and its manifest names no publisher`);
  }
  const own = keys.filter(({ id }) => id === null || id === publisher).map(({ publicKey }) => publicKey);
  if (own.length === 0) return refuse("EXO_TRUST", `${name}: no key of the publisher ${publisher} is trusted now`);
  const opened = openEnvelope(envelope, payloadTypes.manifest, own);
  if (!opened.ok) return refuse(opened.error.code, `${name}: ${opened.error.message}`);
  const { payload, signers } = opened.value;
  if (equalBytes(payload, bytes)) return ok(signers);
  return refuse("EXO_PLUGIN_SIGNATURE", `${name}: ${difference(payload, bytes)}`);
}

/** What of a plugin is not as it was signed. */
function difference(signed: Uint8Array, present: Uint8Array): string {
  const was = readManifest(signed);
  const is = readManifest(present);
  if (was !== undefined && is !== undefined && was.name !== is.name) return `the signature is of ${was.name}`;
  if (was !== undefined && is !== undefined && was.wasm.digest !== is.wasm.digest) {
    return `the module signed is ${was.wasm.digest}, this is ${is.wasm.digest}`;
  }
  return `the manifest signed is ${digestOf(signed)}, this is ${digestOf(present)}`;
}

function readManifest(bytes: Uint8Array): ExecutorManifest | undefined {
  try {
    return manifestSchema.safeParse(parseCanonical(bytes)).data;
  } catch (error) {
    if (isExoArmurError(error)) return undefined;
    throw error;
  }
}

/**
 * Evidence of where in the log a plugin was admitted (spec/bundle.md): header and salted payload of its plugin_admitted
 * event, and the proof of the event's leaf. A publisher's key is judged at that place.
 */
export const pluginAdmissionSchema = z.strictObject({
  schema: z.literal("exoarmur.plugin-admission/v1"),
  event: base64Schema,
  payload: base64Schema,
  logProof: z.string().max(100_000),
});
