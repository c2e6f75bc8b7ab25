import type { Digest } from "../canonical/digest.js";
import { parseTime } from "../canonical/time.js";
import { type Envelope, payloadTypes } from "../contracts/dsse.js";
import { type PolicyActivation, policyActivationSchema } from "../contracts/order.js";
import type { AnyPolicy } from "../contracts/policy-cedar.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { type ActivePolicy, type KillSwitchState, readState, writeState } from "./documents.js";
import { runtimeActor } from "./intent-work.js";
import type { PolicyInForce } from "./judge.js";
import { appendSystemEvent, keepOrder, openOrder } from "./orders.js";
import { policyChange } from "./policy-change.js";
import { dropOvertaken, requireProposal } from "./proposals.js";
import { actsForCell, openPolicy, requireRising } from "./signed-policy.js";
import { blobKey, stateKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/** How long before or after the present an order to activate may have been signed, in milliseconds. */
const orderWindowMs = 900_000;

/**
 * Activates a policy signed by a policy author, or takes up the one that is active already. The same policy under a new
 * signature (a rotated author key) is recorded as a change too, so that bundles carry a signature that is trusted now.
 *
 * @param file the document of the home's file, where the policy is another that took its place
 * @throws ExoArmurError EXO_POLICY_UNSIGNED, EXO_POLICY_VERSION when the content changed and the version did not rise,
 * EXO_SCHEMA; EXO_CEDAR_ENGINE for a Cedar policy without an engine.
 */
export async function activatePolicy(
  tx: LedgerTx,
  envelope: Envelope,
  ports: PipelinePorts,
  file?: Digest,
): Promise<PolicyInForce> {
  const { inForce, policy } = await openPolicy(envelope, ports, tx.size);
  const active = readState<ActivePolicy>(tx, stateKeys.policy);
  const same = active?.digest === inForce.document.digest;
  if (same && active.envelopeDigest === inForce.envelope.digest) {
    if (active.file !== file) writeState(tx, stateKeys.policy, activeOf(inForce, policy, file));
    return inForce;
  }
  if (!same) requireRising(active, policy);
  putInForce(tx, inForce, policy, ports, { file });
  return inForce;
}

/** What an order to activate came to; `inForce` is null when this very order was carried out before. */
export type Activation = {
  readonly active: ActivePolicy;
  readonly replaced: Digest;
  readonly inForce: PolicyInForce | null;
};

/**
 * Puts a proposed policy in force as a signed order says, over the very policy that the order replaces (spec/control-plane.md,
 * Policies). The same order again changes nothing.
 *
 * @throws ExoArmurError EXO_ORDER, EXO_ENVELOPE, EXO_TRUST, EXO_SIGNATURE; EXO_POLICY_REPLACED when another policy is in
 * force, EXO_POLICY_UNKNOWN, EXO_STORE_DAMAGED, and activatePolicy's
 */
export async function activateProposal(tx: LedgerTx, envelope: Envelope, ports: PipelinePorts): Promise<Activation> {
  const opened = openOrder<PolicyActivation>(
    tx,
    envelope,
    payloadTypes.policyActivation,
    policyActivationSchema,
    ports,
    "policy-author",
  );
  const { order, key, material, repeated } = opened;
  if (!actsForCell(key, ports)) {
    throw new ExoArmurError("EXO_ORDER", `${key.id} acts for some tenants, and a policy holds for the whole cell`);
  }
  const active = readState<ActivePolicy>(tx, stateKeys.policy);
  const { replaces: replaced } = order;
  if (repeated && active?.digest === order.policyDigest) return { active, replaced, inForce: null };
  requireTimely(order, ports);
  if (active === undefined || active.digest !== replaced) {
    const inForce = active?.digest ?? "none";
    throw new ExoArmurError("EXO_POLICY_REPLACED", `the order replaces ${replaced}; in force is ${inForce}`);
  }
  const { inForce, policy } = await openPolicy(requireProposal(tx, order.policyDigest).envelope, ports, tx.size);
  requireRising(active, policy);
  keepOrder(tx, opened);
  const actor = { id: order.operator.id, type: "policy-author" };
  const file = active.file ?? active.digest;
  const now = putInForce(tx, inForce, policy, ports, { file, orderDigest: material.digest, actor });
  return { active: now, replaced, inForce };
}

/** Refuses an order that was signed long ago, or by a clock that is far ahead. EXO_ORDER. */
function requireTimely({ signedAt }: PolicyActivation, { clock }: PipelinePorts): void {
  const apart = Math.abs(clock.now() - parseTime(signedAt));
  if (apart <= orderWindowMs) return;
  throw new ExoArmurError("EXO_ORDER", `the order was signed at ${signedAt}, more than 15 minutes from now`);
}

type Taken = {
  readonly file: Digest | undefined;
  readonly orderDigest?: Digest;
  readonly actor?: { readonly id: string; readonly type: string };
};

/** Records that a policy is in force, and drops the proposals whose version no longer rises. */
function putInForce(
  tx: LedgerTx,
  inForce: PolicyInForce,
  policy: AnyPolicy,
  ports: PipelinePorts,
  { file, orderDigest, actor = runtimeActor }: Taken,
): ActivePolicy {
  const { document, envelope } = inForce;
  const previous = readState<ActivePolicy>(tx, stateKeys.policy);
  for (const material of [document, envelope]) tx.put(blobKey(material.digest), material.bytes);
  const active = activeOf(inForce, policy, file);
  writeState(tx, stateKeys.policy, active);
  dropOvertaken(tx, active.version);
  const { policyId, version } = active;
  appendSystemEvent(
    tx,
    ports,
    "policy_changed",
    {
      policyDigest: document.digest,
      policyId,
      version,
      previous: previous?.digest ?? null,
      envelopeDigest: envelope.digest,
      ...(previous === undefined ? {} : { change: policyChange(tx, previous.digest, document.digest) }),
      ...(orderDigest === undefined ? {} : { orderDigest }),
    },
    actor,
  );
  return active;
}

function activeOf({ document, envelope }: PolicyInForce, policy: AnyPolicy, file: Digest | undefined): ActivePolicy {
  const { policyId, version } = policy;
  const named = { digest: document.digest, policyId, version, envelopeDigest: envelope.digest };
  // The home's file is named only where it says something else.
  return file === undefined || file === document.digest ? named : { ...named, file };
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
