import type { Digest } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import type { Envelope } from "../contracts/dsse.js";
import { type Material, plainMaterial } from "../contracts/material.js";
import { openSignedManifest, type PublisherKey } from "../contracts/publisher.js";
import { roleKeys, type TrustedKey } from "../contracts/trust.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError, ok, type Result, refuse } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { formatProofFile } from "../log/proof-file.js";
import { readState, writeState } from "./documents.js";
import { runtimeActor } from "./intent-work.js";
import { appendSystemEvent } from "./orders.js";
import { unpackEvent } from "./recorder.js";
import type { Executor, PublisherSignature } from "./registry.js";
import { admittedKey, blobKey, eventKeys } from "./store-keys.js";
import type { Deployment, PipelinePorts } from "./types.js";

/** State document: the executor that a name was admitted with last, and where in the log that stands. */
export type AdmittedPlugin = {
  readonly manifestDigest: Digest;
  /** Digest of the signed manifest's envelope; null for an unsigned plugin. */
  readonly envelopeDigest: Digest | null;
  /** Index of the plugin_admitted event in the log. */
  readonly index: number;
  /** Key of the event in the store. */
  readonly event: string;
  /** Digest of the evidence of the admission, once it is made. */
  readonly evidence?: Digest;
};

/**
 * Keys of publishers that count at a place in the log. An executor serves the whole cell, so a key that acts for some of
 * its tenants only does not count.
 */
export function publisherKeys(
  { trust, tenants }: Pick<Deployment, "trust" | "tenants">,
  index: number,
): readonly PublisherKey[] {
  const forAll = ({ tenants: own }: TrustedKey): boolean =>
    own === undefined || tenants.every((id) => own.includes(id));
  return roleKeys(trust, "publisher", index).flatMap(({ key, publicKey }) =>
    forAll(key) ? [{ id: key.id, publicKey }] : [],
  );
}

/**
 * Admits an executor for good: judges its signature at the place in the log where the admission stands, and records the
 * admission unless the name was admitted with exactly this manifest and signature last. So a key that ended keeps what
 * it admitted before, and admits nothing new, an older version that was replaced since included.
 *
 * Refuses with EXO_PLUGIN_UNSIGNED where the deployment requires a signature and there is none; else as openSignedManifest.
 */
export async function admitSigned(
  executor: Executor,
  envelope: Envelope | undefined,
  ports: PipelinePorts,
): Promise<Result<Executor>> {
  const signed = envelope === undefined ? null : plainMaterial(canonicalize(envelope));
  const admitted = await ports.ledger.transact((tx) => {
    const last = readState<AdmittedPlugin>(tx, admittedKey(executor.manifest.name));
    const isSame =
      last?.manifestDigest === executor.manifestMaterial.digest && last.envelopeDigest === (signed?.digest ?? null);
    const signers = checkSignature(executor, envelope, isSame ? last.index : tx.size, ports);
    if (!signers.ok) return signers;
    return ok({ signers: signers.value, record: isSame ? last : recordAdmission(tx, executor, signed, ports) });
  });
  if (!admitted.ok) return admitted;
  const { signers, record } = admitted.value;
  if (signed === null) return ok(executor);
  const evidence = await keepEvidence(executor.manifest.name, record, ports);
  return ok({ ...executor, signature: { envelope: signed, evidence, signers } });
}

function checkSignature(
  { manifest, manifestMaterial }: Executor,
  envelope: Envelope | undefined,
  index: number,
  ports: PipelinePorts,
): Result<PublisherSignature["signers"]> {
  if (envelope !== undefined) {
    const opened = openSignedManifest(
      envelope,
      manifest,
      manifestMaterial.bytes,
      publisherKeys(ports.deployment, index),
    );
    return opened.ok ? ok(opened.value.map(({ publicKey }) => publicKey)) : opened;
  }
  if (ports.deployment.requireSignatures !== true) return ok([]);
  const message = `${manifest.name}: this deployment requires a publisher's signature, and it has none; sign it with: exoarmur plugins sign`;
  return refuse("EXO_PLUGIN_UNSIGNED", message);
}

function recordAdmission(
  tx: LedgerTx,
  executor: Executor,
  signed: Material | null,
  ports: PipelinePorts,
): AdmittedPlugin {
  const { manifest, manifestMaterial, plugin, sealed } = executor;
  const materials = [manifestMaterial, plugin, ...(signed === null ? [] : [signed])];
  for (const material of materials) tx.put(blobKey(material.digest), material.bytes);
  const index = tx.size;
  const { header } = appendSystemEvent(
    tx,
    ports,
    "plugin_admitted",
    {
      name: manifest.name,
      version: manifest.version,
      pluginDigest: plugin.digest,
      manifestDigest: manifestMaterial.digest,
      meteredDigest: sealed.digest,
      ...(signed === null ? {} : { envelopeDigest: signed.digest }),
    },
    runtimeActor,
  );
  const record: AdmittedPlugin = {
    manifestDigest: manifestMaterial.digest,
    envelopeDigest: signed?.digest ?? null,
    index,
    event: eventKeys.one(header.tenantId, header.correlationId, header.sequence),
  };
  writeState(tx, admittedKey(manifest.name), record);
  return record;
}

/** Makes the evidence of an admission once, under the checkpoint of that moment, and keeps it: bundles name its digest. */
async function keepEvidence(name: string, record: AdmittedPlugin, ports: PipelinePorts): Promise<Material> {
  const { store, ledger } = ports;
  if (record.evidence !== undefined) {
    const bytes = store.get(blobKey(record.evidence));
    if (bytes !== undefined) return { digest: record.evidence, bytes };
    throw new ExoArmurError("EXO_STORE_DAMAGED", `the evidence of the admission of ${name} is missing`);
  }
  const packed = store.get(record.event);
  if (packed === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `the admission event of ${name} is missing`);
  const { header, payload } = unpackEvent(packed);
  // Both in one turn, so that proof and checkpoint are of one tree.
  const proof = { index: record.index, proof: ledger.prove(record.index), checkpoint: ledger.checkpoint() };
  const material = plainMaterial(
    canonicalize({
      schema: "exoarmur.plugin-admission/v1",
      event: encodeBase64(header),
      payload: encodeBase64(payload),
      logProof: formatProofFile(proof),
    }),
  );
  await ledger.transact((tx) => {
    tx.put(blobKey(material.digest), material.bytes);
    writeState(tx, admittedKey(name), { ...record, evidence: material.digest } satisfies AdmittedPlugin);
  });
  return material;
}
