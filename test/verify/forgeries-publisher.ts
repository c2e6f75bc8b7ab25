import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { parseCanonical } from "../../src/canonical/read.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { concatBytes, decodeBase64, encodeBase64 } from "../../src/crypto/encoding.js";
import type { Signer } from "../../src/ports.js";
import { type Forge, type ForgeSigners, type Loose, loggedLeaf } from "../support/forge.js";
import { keys } from "../support/world.js";
import { type Forgery, forged, someDigest } from "./forgery.js";

type Change = { readonly payload?: (payload: Loose) => unknown; readonly header?: (header: Loose) => unknown };

/** Makes the evidence of the admission again: for the envelope as it is now, logged by the honest log unless told otherwise. */
async function readmit(forge: Forge, change: Change = {}, signers: ForgeSigners = {}, index = 9): Promise<void> {
  const evidence = forge.json("plugin_admission");
  const salted = decodeBase64(evidence.payload) as Uint8Array;
  const payload = structuredClone(parseCanonical(salted.subarray(32))) as Loose;
  const header = structuredClone(parseCanonical(decodeBase64(evidence.event) as Uint8Array)) as Loose;
  payload.envelopeDigest = forge.digests("manifest_envelope")[0];
  change.payload?.(payload);
  const bytes = concatBytes(salted.subarray(0, 32), canonicalize(payload));
  header.payloadDigest = digestOf(bytes);
  change.header?.(header);
  const event = canonicalize(header);
  const logProof = await loggedLeaf("event", digestOf(event), index, signers);
  await forge.set(
    "plugin_admission",
    canonicalize({ ...evidence, event: encodeBase64(event), payload: encodeBase64(bytes), logProof }),
  );
}

/** A signature by somebody else, or over something else, with evidence to fit. */
async function resigned(forge: Forge, signer: Signer, change?: (manifest: Loose) => unknown): Promise<void> {
  await forge.resign("manifest_envelope", signer, change);
  await readmit(forge);
}

const about = { check: "publisher", of: "published" } as const;

export const publisherForgeries: readonly Forgery[] = [
  forged({ ...about, name: "signed by nobody trusted", code: "EXO_TRUST" }, (f) => resigned(f, keys.mallory)),
  forged({ ...about, name: "signed by an approver", code: "EXO_TRUST" }, (f) => resigned(f, keys.alice)),
  forged({ ...about, name: "signed by the runtime", code: "EXO_TRUST" }, (f) => resigned(f, keys.runtime)),
  forged({ ...about, name: "signed by another publisher", code: "EXO_TRUST" }, (f) => resigned(f, keys.carol)),
  forged({ ...about, name: "another version signed", code: "EXO_PLUGIN_SIGNATURE" }, (f) =>
    resigned(f, keys.publisher, (manifest) => (manifest.version = "0.9.0")),
  ),
  forged({ ...about, name: "another module signed", code: "EXO_PLUGIN_SIGNATURE" }, (f) =>
    resigned(f, keys.publisher, (manifest) => (manifest.wasm.digest = someDigest("a"))),
  ),
  forged({ ...about, name: "another plugin's signature", code: "EXO_PLUGIN_SIGNATURE" }, (f) =>
    resigned(f, keys.publisher, (manifest) => (manifest.name = "kv")),
  ),
  forged({ ...about, name: "a signature over other bytes", code: "EXO_SIGNATURE" }, async (f) => {
    const other = await signEnvelope(payloadTypes.manifest, canonicalize({}), keys.publisher);
    await f.edit("manifest_envelope", (envelope) => (envelope.signatures = other.signatures));
    await readmit(f);
  }),
  forged({ ...about, name: "one key signs twice", code: "EXO_ENVELOPE" }, async (f) => {
    await f.edit("manifest_envelope", ({ signatures }) => signatures.push(signatures[0]));
    await readmit(f);
  }),
  forged({ ...about, name: "signed as a policy", code: "EXO_ENVELOPE" }, async (f) => {
    await f.edit("manifest_envelope", (envelope) => (envelope.payloadType = payloadTypes.policy));
    await readmit(f);
  }),
  forged({ ...about, name: "no evidence of the admission", code: "EXO_MATERIAL_SET" }, (f) =>
    f.drop("plugin_admission"),
  ),
  forged({ ...about, name: "evidence without a signature", code: "EXO_MATERIAL_SET" }, (f) =>
    f.drop("manifest_envelope"),
  ),
  forged({ ...about, name: "evidence of an unsigned admission", code: "EXO_MATERIAL_SET" }, (f) =>
    readmit(f, { payload: (payload) => delete payload.envelopeDigest }),
  ),
  forged({ ...about, name: "another manifest admitted", code: "EXO_PLUGIN_DIGEST" }, (f) =>
    readmit(f, { payload: (payload) => (payload.manifestDigest = someDigest("b")) }),
  ),
  forged({ ...about, name: "another module admitted", code: "EXO_PLUGIN_DIGEST" }, (f) =>
    readmit(f, { payload: (payload) => (payload.pluginDigest = someDigest("b")) }),
  ),
  forged({ ...about, name: "another kind of event", code: "EXO_CHECK_FAILED" }, (f) =>
    readmit(f, { header: (header) => (header.eventType = "policy_changed") }),
  ),
  forged({ ...about, name: "an event of another payload", code: "EXO_CHECK_FAILED" }, (f) =>
    readmit(f, { header: (header) => (header.payloadDigest = someDigest("c")) }),
  ),
  forged({ ...about, name: "an admission that is not in the log", code: "EXO_LOG_PROOF" }, async (f) => {
    const logProof = await loggedLeaf("event", someDigest("d"), 9);
    await f.edit("plugin_admission", (evidence) => (evidence.logProof = logProof));
  }),
  forged({ ...about, name: "an admission after the run", code: "EXO_LOG_PROOF" }, (f) => readmit(f, {}, {}, 63)),
  forged({ ...about, name: "a log signed by somebody else", code: "EXO_SIGNATURE" }, (f) =>
    readmit(f, {}, { log: keys.mallory }),
  ),
  forged({ ...about, name: "an admission in another log", code: "EXO_TRUST" }, (f) =>
    readmit(f, {}, { origin: "exoarmur/other" }),
  ),
  {
    ...about,
    name: "admitted after the key had ended",
    code: "EXO_TRUST",
    trust: (trust) => ({
      ...trust,
      keys: trust.keys.map((key) => (key.role === "publisher" ? { ...key, until: 1 } : key)),
    }),
    make: (_f, bytes) => bytes,
  },
];
