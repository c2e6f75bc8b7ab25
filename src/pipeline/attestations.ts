import {
  type AttestationFacts,
  type AttesterKey,
  maxAttestationBytes,
  maxAttestations,
  verifyAttestation,
} from "../contracts/attestation.js";
import { type Material, saltedMaterial, unsalt } from "../contracts/material.js";
import { roleKeys } from "../contracts/trust.js";
import { ExoArmurError, ok, type Result, refuse } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { IntentWork } from "./intent-work.js";
import { blobKey } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/** Copies what a caller attached, so that what is verified is what is recorded. EXO_SCHEMA for too many or no bytes. */
export function takeAttestations(brought: readonly Uint8Array[]): readonly Uint8Array[] {
  if (!Array.isArray(brought) || brought.length > maxAttestations) {
    throw new ExoArmurError("EXO_SCHEMA", `expected a list of at most ${maxAttestations} attestations`);
  }
  return brought.map((bytes) => {
    if (bytes instanceof Uint8Array) return bytes.slice();
    throw new ExoArmurError("EXO_SCHEMA", "expected each attestation as bytes");
  });
}

/** The materials of what came with an intent, in the order given. */
export function attestationMaterials(
  brought: readonly Uint8Array[],
  intentId: string,
  { saltKey }: PipelinePorts,
): readonly Material[] {
  return brought.map((bytes) => saltedMaterial(saltKey, "attestation", intentId, bytes));
}

/**
 * Verifies every attestation that came with an intent, under the attesters' keys that count now and for its tenant, and
 * names them as materials. One that does not verify refuses the intent: EXO_ATTESTATION when it is malformed, too large or
 * the same as another; EXO_ATTESTATION_SIGNATURE when no attester signed it. Nothing is named then.
 */
export function verifyAttestations(
  tx: LedgerTx,
  work: IntentWork,
  materials: readonly Material[],
): Result<readonly AttestationFacts[]> {
  const keys = attesterKeys(tx, work);
  const found: AttestationFacts[] = [];
  const statements = new Set<string>();
  for (const [at, { digest, bytes }] of materials.entries()) {
    const which = `attestation ${at + 1} of ${materials.length}`;
    const content = unsalt(bytes) ?? new Uint8Array();
    if (content.length > maxAttestationBytes) {
      const message = `${which} has ${content.length} bytes, expected at most ${maxAttestationBytes}`;
      return refuse("EXO_ATTESTATION", message);
    }
    const verified = verifyAttestation(content, keys);
    if (!verified.ok) return refuse(verified.error.code, `${which}: ${verified.error.message}`);
    const { predicateType, subjects, signers, statementDigest } = verified.value;
    if (statements.has(statementDigest)) return refuse("EXO_ATTESTATION", `${which} has the statement of another one`);
    statements.add(statementDigest);
    found.push({ digest, predicateType, subjects, signers });
  }
  for (const material of materials) work.attach(tx, "attestation", material);
  return ok(found);
}

/** The same for an intent that waited: what it came with, from the store, under the keys that count now. */
export function verifyStoredAttestations(tx: LedgerTx, work: IntentWork): Result<readonly AttestationFacts[]> {
  const { materials, intentId } = work.record;
  const stored = materials
    .filter(({ role }) => role === "attestation")
    .map(({ digest }): Material => {
      const bytes = tx.get(blobKey(digest));
      if (bytes !== undefined) return { digest, bytes };
      throw new ExoArmurError("EXO_STORE_DAMAGED", `attestation ${digest} of intent ${intentId} is missing`);
    });
  return verifyAttestations(tx, work, stored);
}

function attesterKeys(tx: LedgerTx, { record, ports }: IntentWork): readonly AttesterKey[] {
  return roleKeys(ports.deployment.trust, "attester", tx.size)
    .filter(({ key }) => key.tenants?.includes(record.tenantId) ?? true)
    .map(({ key, publicKey }) => ({ id: key.id, publicKey }));
}
