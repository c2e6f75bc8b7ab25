import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import { plainMaterial } from "../contracts/material.js";
import { type AnyPolicy, anyPolicySchema } from "../contracts/policy-cedar.js";
import { entryKeyId, roleKeys, type TrustedKey } from "../contracts/trust.js";
import { ExoArmurError } from "../errors.js";
import { loadProgram } from "../policy/program.js";
import type { ActivePolicy, Proposal } from "./documents.js";
import type { PolicyInForce } from "./judge.js";
import type { PipelinePorts } from "./types.js";

/** A signed policy that was opened and compiled. */
export type OpenedPolicy = {
  readonly inForce: PolicyInForce;
  readonly policy: AnyPolicy;
  readonly authors: Proposal["authors"];
};

/** Whether a key acts for the whole cell. A policy holds for all of it: one that acts for some tenants only is no author. */
export function actsForCell({ tenants }: TrustedKey, { deployment }: PipelinePorts): boolean {
  return tenants === undefined || deployment.tenants.every((id) => tenants.includes(id));
}

/**
 * Opens a policy that policy authors of the whole cell signed, and compiles it.
 *
 * @param logSize where in the log their keys must count
 * @throws ExoArmurError EXO_POLICY_UNSIGNED, EXO_JSON_*, EXO_SCHEMA; EXO_CEDAR_ENGINE for a Cedar policy without an engine
 */
export async function openPolicy(envelope: Envelope, ports: PipelinePorts, logSize: number): Promise<OpenedPolicy> {
  const known = roleKeys(ports.deployment.trust, "policy-author", logSize).filter(({ key }) => actsForCell(key, ports));
  const opened = openEnvelope(
    envelope,
    payloadTypes.policy,
    known.map(({ publicKey }) => publicKey),
  );
  if (!opened.ok) throw new ExoArmurError("EXO_POLICY_UNSIGNED", opened.error.message);
  const { payload, signers } = opened.value;
  const policy = parseContract(anyPolicySchema, parseCanonical(payload), "policy");
  return {
    inForce: {
      program: await loadProgram(policy, ports.cedar),
      document: plainMaterial(payload),
      envelope: plainMaterial(canonicalize(envelope)),
      authors: signers.map(({ publicKey }) => publicKey),
    },
    policy,
    authors: signers.flatMap(({ keyId }) => {
      const id = known.find(({ key }) => entryKeyId(key) === keyId)?.key.id;
      return id === undefined ? [] : [{ id, keyId }];
    }),
  };
}

/** Refuses a policy that cannot take the place of the one in force. EXO_POLICY_VERSION. */
export function requireRising(active: ActivePolicy | undefined, { policyId, version }: AnyPolicy): void {
  if (active === undefined || (active.policyId === policyId && version > active.version)) return;
  throw new ExoArmurError(
    "EXO_POLICY_VERSION",
    `the policy changed: expected policyId ${active.policyId} with a version above ${active.version}, got ${policyId} version ${version}`,
  );
}
