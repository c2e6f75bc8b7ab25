import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { TrustedKey } from "../../src/contracts/trust.js";

/** An attester and its key, made by node:crypto alone: none of the code under test signs here. */
export type Attester = { readonly id: string; readonly privateKey: KeyObject; readonly publicKey: string };

/** The key of an attester: the 32 bytes of its name, padded, are the seed. */
export function attesterNamed(id: string): Attester {
  const seed = Buffer.alloc(32, id);
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return { id, privateKey, publicKey: spki.subarray(-32).toString("base64") };
}

/** Its line of a trust file. */
export function attesterKey({ id, publicKey }: Attester, more: Partial<TrustedKey> = {}): TrustedKey {
  return { role: "attester", id, publicKey, from: null, until: null, ...more };
}

/** The attesters of the test world; a stranger is never among them. */
export const builder = attesterNamed("builder");
export const tester = attesterNamed("tester");

export const provenanceType = "https://slsa.dev/provenance/v1";
export const artifact = `sha256:${"ab".repeat(32)}`;

/** A SLSA provenance as a builder writes it, about one artifact. */
export function provenance(more: object = {}): object {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "app.tar.gz", digest: { sha256: artifact.slice("sha256:".length), sha1: "00".repeat(20) } }],
    predicateType: provenanceType,
    predicate: {
      buildDefinition: { buildType: "https://example.com/make/v1", externalParameters: { ref: "main" } },
      runDetails: { builder: { id: "https://example.com/builder" } },
    },
    ...more,
  };
}

/** An envelope over any payload text, indented as people's tools write it. */
export function attest(
  signers: readonly Attester[],
  statement: object | string = provenance(),
  { payloadType = "application/vnd.in-toto+json", more = {} }: { payloadType?: string; more?: object } = {},
): Uint8Array {
  const payload = Buffer.from(typeof statement === "string" ? statement : JSON.stringify(statement, null, 2));
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `),
    payload,
  ]);
  const signatures = signers.map(({ id, privateKey }) => ({
    keyid: `https://example.com/keys/${id}`,
    sig: sign(null, signed, privateKey).toString("base64"),
  }));
  const envelope = { payloadType, payload: payload.toString("base64"), signatures, ...more };
  return new Uint8Array(Buffer.from(`${JSON.stringify(envelope, null, 2)}\n`));
}

/** Members of an envelope changed, whatever it signs. */
export function altered(
  envelope: Uint8Array,
  change: (envelope: ReturnType<typeof JSON.parse>) => unknown,
): Uint8Array {
  const value = JSON.parse(Buffer.from(envelope).toString());
  change(value);
  return new Uint8Array(Buffer.from(JSON.stringify(value)));
}
