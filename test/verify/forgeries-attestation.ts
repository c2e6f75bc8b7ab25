import { keyIdOf } from "../../src/crypto/key-id.js";
import { altered, attest, attesterNamed, builder, provenance, provenanceType, tester } from "../support/attestation.js";
import type { Forge, Loose } from "../support/forge.js";
import { type Forgery, forged, someDigest } from "./forgery.js";

const about = { check: "attestations", of: "attested" } as const;
const rawKey = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

/** The decision is told something else of the attestation that came. */
const told = (f: Forge, change: (facts: Loose, list: Loose[]) => unknown): Promise<Forge> =>
  f.edit("policy_input", ({ attestations }) => change(attestations[0], attestations));

const withTrust = (name: string, change: (key: Loose) => unknown): Forgery => ({
  ...about,
  name,
  code: "EXO_ATTESTATION_KEY",
  state: "unable",
  trust: (trust) => ({
    ...trust,
    keys: trust.keys.map((key) => (key.role === "attester" ? { ...key, ...(change(key) as object) } : key)),
  }),
  make: (_f, bytes) => bytes,
});

export const attestationForgeries: readonly Forgery[] = [
  forged({ ...about, name: "the statement signed by a stranger", code: "EXO_ATTESTATION_SIGNATURE" }, (f) =>
    f.set("attestation", attest([attesterNamed("stranger")])),
  ),
  forged({ ...about, name: "the statement signed by another attester", code: "EXO_ATTESTATION_SIGNATURE" }, (f) =>
    f.set("attestation", attest([tester])),
  ),
  forged({ ...about, name: "another predicate under the old signature", code: "EXO_ATTESTATION_SIGNATURE" }, (f) =>
    f.set(
      "attestation",
      altered(f.content("attestation"), (envelope) => {
        envelope.payload = Buffer.from(JSON.stringify(provenance({ predicate: {} }))).toString("base64");
      }),
    ),
  ),
  forged({ ...about, name: "an attestation of another artifact", code: "EXO_CHECK_FAILED" }, (f) =>
    f.set("attestation", attest([builder], provenance({ subject: [{ digest: { sha256: "cd".repeat(32) } }] }))),
  ),
  forged({ ...about, name: "an attestation of another kind", code: "EXO_CHECK_FAILED" }, (f) =>
    f.set("attestation", attest([builder], provenance({ predicateType: "https://example.com/scan" }))),
  ),
  forged({ ...about, name: "a subject that it does not have", code: "EXO_CHECK_FAILED" }, (f) =>
    told(f, ({ subjects }) => subjects.push({ digest: someDigest("c") })),
  ),
  forged({ ...about, name: "a subject by another name", code: "EXO_CHECK_FAILED" }, (f) =>
    told(f, ({ subjects }) => (subjects[0].name = "other.tar.gz")),
  ),
  forged({ ...about, name: "attributed to one more attester", code: "EXO_ATTESTATION_SIGNATURE" }, (f) =>
    told(f, ({ signers }) => signers.push({ attester: "tester", keyId: keyIdOf(rawKey(tester.publicKey)) })),
  ),
  forged({ ...about, name: "bytes that are no envelope", code: "EXO_ATTESTATION" }, (f) =>
    f.set("attestation", new Uint8Array(Buffer.from("{}"))),
  ),
  forged({ ...about, name: "an envelope without signatures", code: "EXO_ATTESTATION" }, (f) =>
    f.set(
      "attestation",
      altered(f.content("attestation"), (envelope) => (envelope.signatures = [])),
    ),
  ),
  forged({ ...about, name: "another payload type", code: "EXO_ATTESTATION" }, (f) =>
    f.set("attestation", attest([builder], provenance(), { payloadType: "application/json" })),
  ),
  forged({ ...about, name: "left out of the statement", code: "EXO_MATERIAL_SET" }, (f) => f.drop("attestation")),
  forged({ ...about, name: "one that did not come with the intent", code: "EXO_MATERIAL_SET" }, (f) =>
    f.add("attestation", attest([tester])),
  ),
  forged({ ...about, name: "one that the policy was not told of", code: "EXO_MATERIAL_SET" }, (f) =>
    f.payload("intent_received", ({ attestations }) => attestations.push(f.add("attestation", attest([tester])))),
  ),
  forged({ ...about, name: "told to the policy twice", code: "EXO_MATERIAL_SET" }, (f) =>
    told(f, (facts, list) => list.push(facts)),
  ),
  forged(
    { ...about, name: "not told to the policy", code: "EXO_MATERIAL_SET", caught: ["policy", "attestations"] },
    (f) => f.edit("policy_input", (input) => delete input.attestations),
  ),
  forged({ ...about, name: "received without it", code: "EXO_MATERIAL_SET" }, (f) =>
    f.payload("intent_received", (payload) => delete payload.attestations),
  ),
  forged({ ...about, of: "executed", name: "made up for the policy", code: "EXO_MATERIAL_SET" }, (f) =>
    f.edit("policy_input", (input) => {
      const signers = [{ attester: "builder", keyId: keyIdOf(rawKey(builder.publicKey)) }];
      input.attestations = [{ digest: someDigest("a"), predicateType: provenanceType, subjects: [], signers }];
    }),
  ),
  forged({ ...about, of: "refused", name: "of an intent that was not judged", code: "EXO_MATERIAL_SET" }, (f) =>
    f.add("attestation", attest([builder])),
  ),
  forged({ ...about, name: "by a key of the runtime's side", code: "EXO_TRUST" }, (f) => {
    const { publicKey } = builder;
    f.predicate.keys.push({ role: "approver", keyId: keyIdOf(rawKey(publicKey)), publicKey });
  }),
  withTrust("its key had ended", () => ({ until: 1 })),
  withTrust("its key is another's", () => ({ id: "somebody" })),
  withTrust("its key counts for another tenant", () => ({ tenants: ["other"] })),
];
