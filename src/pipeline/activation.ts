import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import { plainMaterial } from "../contracts/material.js";
import { anyPolicySchema, cedarSchemaName } from "../contracts/policy-cedar.js";
import { roleKeys, type TrustedKey } from "../contracts/trust.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { type CedarEngine, compileProgram } from "../policy/program.js";
import { type ActivePolicy, type KillSwitchState, readState, writeState } from "./documents.js";
import { runtimeActor } from "./intent-work.js";
import type { PolicyInForce } from "./judge.js";
import { appendSystemEvent } from "./orders.js";
import { blobKey, stateKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/**
 * Activates a policy signed by a policy author, or takes up the one that is active already. The same policy under a new
 * signature (a rotated author key) is recorded as a change too, so that bundles carry a signature that is trusted now.
 *
 * @throws ExoArmurError EXO_POLICY_UNSIGNED, EXO_POLICY_VERSION when the content changed and the version did not rise,
 * EXO_SCHEMA; EXO_CEDAR_ENGINE for a Cedar policy without an engine.
 */
export function activatePolicy(
  tx: LedgerTx,
  envelope: Envelope,
  ports: PipelinePorts,
  cedar: CedarEngine | null,
): PolicyInForce {
  const { trust, tenants } = ports.deployment;
  // A policy holds for the whole cell: a key that acts for some of its tenants only cannot author it.
  const forAll = ({ tenants: own }: TrustedKey): boolean =>
    own === undefined || tenants.every((id) => own.includes(id));
  const authors = roleKeys(trust, "policy-author", tx.size).flatMap(({ key, publicKey }) =>
    forAll(key) ? [publicKey] : [],
  );
  const opened = openEnvelope(envelope, payloadTypes.policy, authors);
  if (!opened.ok) throw new ExoArmurError("EXO_POLICY_UNSIGNED", opened.error.message);
  const { payload, signers } = opened.value;
  const policy = parseContract(anyPolicySchema, parseCanonical(payload), "policy");
  const program = compileProgram(policy, cedar);
  const document = plainMaterial(payload);
  const signed = plainMaterial(canonicalize(envelope));
  const inForce = { program, document, envelope: signed, authors: signers.map((signer) => signer.publicKey) };
  const active = readState<ActivePolicy>(tx, stateKeys.policy);
  const same = active?.digest === document.digest;
  if (same && active.envelopeDigest === signed.digest) return inForce;
  if (active !== undefined && !same && (active.policyId !== policy.policyId || policy.version <= active.version)) {
    throw new ExoArmurError(
      "EXO_POLICY_VERSION",
      `the policy changed: expected policyId ${active.policyId} with a version above ${active.version}, got ${policy.policyId} version ${policy.version}`,
    );
  }
  for (const material of [document, signed]) tx.put(blobKey(material.digest), material.bytes);
  const { policyId, version } = policy;
  writeState(tx, stateKeys.policy, {
    digest: document.digest,
    policyId,
    version,
    envelopeDigest: signed.digest,
  } satisfies ActivePolicy);
  appendSystemEvent(
    tx,
    ports,
    "policy_changed",
    {
      policyDigest: document.digest,
      policyId,
      version,
      previous: active?.digest ?? null,
      envelopeDigest: signed.digest,
    },
    runtimeActor,
  );
  return inForce;
}

/** Whether what an envelope holds calls itself a Cedar policy: signed or not, its engine must be there to read it. */
export function namesCedar({ payload }: Envelope): boolean {
  const bytes = decodeBase64(payload);
  try {
    return bytes !== undefined && anyPolicySchema.safeParse(parseCanonical(bytes)).data?.schema === cedarSchemaName;
  } catch (error) {
    // Refused with its reason when it is opened.
    if (isExoArmurError(error)) return false;
    throw error;
  }
}

/**
 * Sets the kill switches of a store that has none yet, and those of tenants added since. A store that has events but
 * lost its switches is left as it is: the gate then finds no state and denies.
 */
export function initialiseKillSwitches(tx: LedgerTx, ports: PipelinePorts): void {
  const known = readState<KillSwitchState>(tx, stateKeys.killSwitch);
  if (known === undefined && tx.size > 0) return;
  const state: KillSwitchState = known ?? { global: false, tenants: {}, epoch: 0 };
  const added = ports.deployment.tenants.filter((tenantId) => !Object.hasOwn(state.tenants, tenantId));
  const changes = [...(known === undefined ? [null] : []), ...added];
  if (changes.length === 0) return;
  for (const tenantId of changes) {
    state.epoch += 1;
    if (tenantId !== null) state.tenants[tenantId] = false;
    const scope = tenantId === null ? "global" : "tenant";
    const change = { scope, tenantId, on: false, epoch: state.epoch, envelopeDigest: null } as const;
    appendSystemEvent(tx, ports, "kill_switch_changed", change, runtimeActor);
  }
  writeState(tx, stateKeys.killSwitch, state);
}
