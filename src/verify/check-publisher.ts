import { type Digest, digestOf } from "../canonical/digest.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { eventHeaderSchema, eventPayloads } from "../contracts/event.js";
import { unsalt } from "../contracts/material.js";
import { openSignedManifest, pluginAdmissionSchema } from "../contracts/publisher.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { readCheckpoint } from "../log/checkpoint.js";
import { leafBytes } from "../log/leaf.js";
import { parseProofFile } from "../log/proof-file.js";
import { leafHash, verifyInclusion } from "../log/tree.js";
import { proofOf, requireLogSignature } from "./check-log.js";
import { type Evidence, parseDocument } from "./evidence.js";
import type { KeySource } from "./keys.js";
import { expect, fail, notApplicable } from "./report.js";

/** An admission as its evidence shows it: what was admitted, and at which index of the log. */
type ShownAdmission = { readonly envelopeDigest: string | undefined; readonly index: number };

/**
 * Every signed manifest in the bundle is the manifest that ran, signed by a key of the publisher it names that was valid
 * where the log shows the plugin's admission (spec/verification.md).
 */
export function checkPublisher(evidence: Evidence, keys: KeySource): string {
  const envelopes = evidence.digestsOf("manifest_envelope");
  const admissions = evidence.digestsOf("plugin_admission").map((digest) => readAdmission(evidence, keys, digest));
  if (envelopes.length === 0) {
    expect(admissions.length === 0, "EXO_MATERIAL_SET", "evidence of a signed admission without a signed manifest");
    return notApplicable("nobody signed the plugin's manifest");
  }
  const { manifest } = evidence.invocation();
  const bytes = evidence.content(evidence.only("manifest"), "manifest");
  const places = envelopes.map((digest) => {
    const admission = admissions.find(({ envelopeDigest }) => envelopeDigest === digest);
    expect(
      admission !== undefined,
      "EXO_MATERIAL_SET",
      `no evidence of the admission of the signed manifest ${digest}`,
    );
    const envelope = evidence.document(digest, "manifest_envelope", envelopeSchema);
    const opened = openSignedManifest(envelope, manifest, bytes, keys.keysFor("publisher", admission.index));
    if (!opened.ok) fail(opened.error.code, opened.error.message);
    return admission.index;
  });
  return `${manifest.publisher ?? ""}, admitted at log position ${places.join(", ")}`;
}

/** Reads the evidence of an admission: the event is of this manifest, and its leaf is in a tree that the log signed. */
function readAdmission(evidence: Evidence, keys: KeySource, digest: Digest): ShownAdmission {
  const shown = evidence.document(digest, "plugin_admission", pluginAdmissionSchema);
  const [header, salted] = [decodeBase64(shown.event), decodeBase64(shown.payload)];
  const content = salted === undefined ? undefined : unsalt(salted);
  if (header === undefined || salted === undefined || content === undefined) {
    return fail("EXO_CHECK_FAILED", "the evidence of an admission holds no event");
  }
  const event = parseDocument(eventHeaderSchema, header, "admission event");
  expect(
    event.eventType === "plugin_admitted" && event.payloadDigest === digestOf(salted),
    "EXO_CHECK_FAILED",
    "the evidence of an admission holds another event",
  );
  const payload = parseDocument(eventPayloads.plugin_admitted, content, "admission");
  const { manifest } = evidence.invocation();
  expect(
    payload.manifestDigest === evidence.only("manifest") && payload.pluginDigest === manifest.wasm.digest,
    "EXO_PLUGIN_DIGEST",
    "the evidence is of the admission of another plugin",
  );
  return {
    envelopeDigest: payload.envelopeDigest,
    index: provenIndex(evidence, keys, shown.logProof, digestOf(header)),
  };
}

/** Index of an event in the log that the bundle itself lies in, as far as a signed checkpoint proves it. */
function provenIndex(evidence: Evidence, keys: KeySource, logProof: string, eventDigest: Digest): number {
  const own = proofOf(evidence);
  const { index, proof, checkpoint, extra } = parseProofFile(logProof);
  expect(extra === undefined, "EXO_LOG_PROOF", "the admission's proof carries extra data that nothing signs");
  const origin = requireLogSignature(checkpoint, keys);
  const { size, root } = readCheckpoint(checkpoint);
  const included = verifyInclusion({ leafHash: leafHash(leafBytes("event", eventDigest)), index, size, proof, root });
  expect(included, "EXO_LOG_PROOF", `the admission is not leaf ${index} of the checkpoint's ${size}`);
  const isBefore = origin === readCheckpoint(own.checkpoint).origin && index < own.index;
  expect(isBefore, "EXO_LOG_PROOF", "the admission does not lie before the bundle in its log");
  return index;
}
