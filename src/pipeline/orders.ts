import type { z } from "zod";
import { excludedNames, holdersOf } from "../approval/exclusion.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { adviceOn } from "../contracts/advice.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import type { EventPayload, EventType } from "../contracts/event.js";
import { type Material, plainMaterial } from "../contracts/material.js";
import {
  type KillSwitchOrder,
  killSwitchOrderSchema,
  type ResolutionOrder,
  resolutionOrderSchema,
  type TrustScoreOrder,
  trustScoreOrderSchema,
} from "../contracts/order.js";
import { personOf, roleKeys, type Trust, type TrustedKey } from "../contracts/trust.js";
import { equalBytes } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { type EffectHolder, type KillSwitchState, readState, writeState } from "./documents.js";
import { finish } from "./finish.js";
import { IntentWork } from "./intent-work.js";
import { judgedBefore } from "./judged.js";
import { recordNotice } from "./notices.js";
import { appendEvent, chainTime, type RecordedEvent } from "./recorder.js";
import { blobKey, effectKeyName, orderKey, stateKeys, trustScoreKey, trustScoreTimeKey } from "./store-keys.js";
import type { Admission } from "./submit.js";
import type { PipelinePorts } from "./types.js";

/** Chain of events that belong to no intent. */
export const systemCorrelation = "system";

type Order = { readonly cellId: string; readonly operator: { id: string; keyId: string }; readonly nonce: string };

/** An opened order, with the key that signed it. `repeated`: this very order was carried out before. */
export type OpenedOrder<T> = {
  readonly order: T;
  readonly key: TrustedKey;
  readonly publicKey: Uint8Array;
  readonly material: Material;
  readonly repeated: boolean;
};

/**
 * Opens an order: one signature by a key of the role, which the order itself names, for this cell, with a nonce that no
 * other order used.
 * EXO_ORDER, EXO_ENVELOPE, EXO_TRUST, EXO_SIGNATURE.
 */
export function openOrder<T extends Order>(
  tx: LedgerTx,
  envelope: Envelope,
  payloadType: string,
  schema: z.ZodType<T>,
  ports: PipelinePorts,
  role: "operator" | "policy-author" = "operator",
): OpenedOrder<T> {
  const keys = roleKeys(ports.deployment.trust, role, tx.size);
  const opened = openEnvelope(
    envelope,
    payloadType,
    keys.map(({ publicKey }) => publicKey),
  );
  if (!opened.ok) throw new ExoArmurError(opened.error.code, opened.error.message);
  const [signer, second] = opened.value.signers;
  const order = parseContract(schema, parseCanonical(opened.value.payload), "order");
  const named = keys.find(({ publicKey }) => keyIdOf(publicKey) === order.operator.keyId);
  if (signer === undefined || second !== undefined || named === undefined || signer.keyId !== order.operator.keyId) {
    throw new ExoArmurError("EXO_ORDER", "an order is signed once, by the key it names");
  }
  if (named.key.id !== order.operator.id) {
    throw new ExoArmurError("EXO_ORDER", `key ${signer.keyId} is ${named.key.id}'s, not ${order.operator.id}'s`);
  }
  if (order.cellId !== ports.deployment.cellId) {
    throw new ExoArmurError("EXO_ORDER", `the order is for cell ${order.cellId}, this is ${ports.deployment.cellId}`);
  }
  const material = plainMaterial(canonicalize(envelope));
  const carriedOut = tx.get(orderKey(order.nonce));
  // The same bytes again change nothing; another order must not be swallowed because it brings a used nonce.
  if (carriedOut !== undefined && !equalBytes(carriedOut, material.bytes)) {
    throw new ExoArmurError("EXO_ORDER", "the order's nonce was used by another order");
  }
  return { order, key: named.key, publicKey: named.publicKey, material, repeated: carriedOut !== undefined };
}

/** Refuses a key that does not act for a tenant; null is the whole cell. EXO_ORDER. */
export function requireTenant({ id, tenants }: TrustedKey, tenantId: string | null): void {
  if (tenants === undefined || (tenantId !== null && tenants.includes(tenantId))) return;
  throw new ExoArmurError("EXO_ORDER", `${id} acts for ${tenants.join(", ")}, not for ${tenantId ?? "the whole cell"}`);
}

/** Refuses a tenant that is not of this cell. EXO_TENANT_UNKNOWN. */
export function requireKnownTenant({ deployment }: PipelinePorts, tenantId: string): void {
  if (deployment.tenants.includes(tenantId)) return;
  throw new ExoArmurError("EXO_TENANT_UNKNOWN", `no tenant ${tenantId} in this cell`);
}

/** Keeps an order that is carried out: its envelope as a material, and under its nonce, so that it counts once. */
export function keepOrder(tx: LedgerTx, { order, material }: OpenedOrder<Order>): void {
  tx.put(blobKey(material.digest), material.bytes);
  tx.put(orderKey(order.nonce), material.bytes);
}

/** Whether an operator is the requester, the actor, or a person who holds a key of theirs, in any role. */
function isOwn(trust: Trust, own: ReadonlySet<string>, operator: TrustedKey): boolean {
  const barred = new Set([...own, ...holdersOf(trust.keys, own)]);
  return barred.has(operator.id) || barred.has(personOf(operator));
}

/** Appends an event that belongs to no intent, and gives it back. */
export function appendSystemEvent<T extends EventType>(
  tx: LedgerTx,
  ports: PipelinePorts,
  eventType: T,
  payload: EventPayload<T>,
  actor: { id: string; type: string },
): RecordedEvent {
  const { ids, saltKey, deployment } = ports;
  const subject = { tenantId: deployment.defaultTenant, correlationId: systemCorrelation, intentId: null };
  const now = chainTime(tx, subject, ports.clock.now());
  return appendEvent(tx, { ids, saltKey, cellId: deployment.cellId }, subject, eventType, payload, actor, now);
}

/**
 * Refuses an order to switch off that was signed before the order that stands: one that was held back must not undo
 * what an operator decided since. An order to switch on is always taken.
 */
function requireNewer(state: KillSwitchState, { tenantId, on, signedAt }: KillSwitchOrder): void {
  const scope = tenantId ?? "";
  const last = state.signedAt !== undefined && Object.hasOwn(state.signedAt, scope) ? state.signedAt[scope] : undefined;
  if (!on && last !== undefined && signedAt < last) {
    throw new ExoArmurError("EXO_ORDER", `the order was signed at ${signedAt}, before the one of ${last} that stands`);
  }
  const newest = last === undefined || signedAt > last ? signedAt : last;
  state.signedAt = { ...state.signedAt, [scope]: newest };
}

/** Switches a kill switch as a signed order says. An order that was carried out before changes nothing. */
export function applyKillSwitch(tx: LedgerTx, envelope: Envelope, ports: PipelinePorts): KillSwitchState {
  const opened = openOrder<KillSwitchOrder>(tx, envelope, payloadTypes.killSwitch, killSwitchOrderSchema, ports);
  const { order, material, repeated } = opened;
  const state = readState<KillSwitchState>(tx, stateKeys.killSwitch) ?? { global: true, tenants: {}, epoch: 0 };
  if (repeated) return state;
  if ((order.scope === "tenant") !== (order.tenantId !== null)) {
    throw new ExoArmurError("EXO_ORDER", "a tenant switch names its tenant, the global one names none");
  }
  requireTenant(opened.key, order.tenantId);
  if (order.tenantId !== null) requireKnownTenant(ports, order.tenantId);
  requireNewer(state, order);
  if (order.tenantId === null) state.global = order.on;
  else state.tenants[order.tenantId] = order.on;
  state.epoch += 1;
  keepOrder(tx, opened);
  writeState(tx, stateKeys.killSwitch, state);
  appendSystemEvent(
    tx,
    ports,
    "kill_switch_changed",
    { scope: order.scope, tenantId: order.tenantId, on: order.on, epoch: state.epoch, envelopeDigest: material.digest },
    { id: order.operator.id, type: "operator" },
  );
  const { tenantId, on } = order;
  const id = `kill_switch_changed/${state.epoch}`;
  recordNotice(tx, ports, { id, event: "kill_switch_changed", tenantId, on }, ports.clock.now());
  return state;
}

/**
 * Sets an actor's trust score as a signed order says. An order that was carried out before changes nothing; one signed
 * before the order that stands is refused with EXO_ORDER.
 */
export function applyTrustScore(tx: LedgerTx, envelope: Envelope, ports: PipelinePorts): TrustScoreOrder {
  const opened = openOrder<TrustScoreOrder>(tx, envelope, payloadTypes.trustScore, trustScoreOrderSchema, ports);
  const { order, material, repeated } = opened;
  if (repeated) return order;
  const { tenantId, actorId, score, signedAt } = order;
  requireTenant(opened.key, tenantId);
  requireKnownTenant(ports, tenantId);
  const last = readState<string>(tx, trustScoreTimeKey(tenantId, actorId));
  if (last !== undefined && signedAt < last) {
    throw new ExoArmurError("EXO_ORDER", `the order was signed at ${signedAt}, before the one of ${last} that stands`);
  }
  keepOrder(tx, opened);
  writeState(tx, trustScoreKey(tenantId, actorId), score);
  writeState(tx, trustScoreTimeKey(tenantId, actorId), signedAt);
  const payload = { tenantId, actorId, score, envelopeDigest: material.digest };
  appendSystemEvent(tx, ports, "trust_score_changed", payload, { id: order.operator.id, type: "operator" });
  return order;
}

/**
 * Closes an in-doubt intent as a signed order says. `not_executed` frees the effect key; `committed` and `unknown` hold
 * it. EXO_NOT_IN_DOUBT; EXO_ORDER when the operator is the requester, the actor or the
 * same person, or does not act for the tenant.
 */
export async function applyResolution(tx: LedgerTx, envelope: Envelope, ports: PipelinePorts): Promise<Admission> {
  const opened = openOrder<ResolutionOrder>(tx, envelope, payloadTypes.resolution, resolutionOrderSchema, ports);
  const { order, publicKey, material } = opened;
  const work = IntentWork.load(tx, order.intentId, ports);
  const { record, intent } = work;
  if (record.state !== "in_doubt") {
    throw new ExoArmurError(
      "EXO_NOT_IN_DOUBT",
      `intent ${order.intentId} is not in doubt; its state is ${record.state}`,
    );
  }
  requireTenant(opened.key, record.tenantId);
  if (isOwn(ports.deployment.trust, excludedNames(record.requester, intent.actor.id), opened.key)) {
    throw new ExoArmurError("EXO_ORDER", "the requester cannot resolve its own action");
  }
  work.attach(tx, "resolution", material);
  tx.put(orderKey(order.nonce), material.bytes);
  work.nameKey("operator", publicKey);
  const { outcome, evidence, operator } = order;
  if (record.effectKey !== null) {
    const key = effectKeyName(record.tenantId, record.effectKey);
    if (outcome === "not_executed") tx.delete(key);
    else writeState(tx, key, { intentId: record.intentId, state: outcome } satisfies EffectHolder);
  }
  record.reason = {
    code: "EXO_IN_DOUBT",
    message: `resolved by ${operator.id}: ${outcome}`,
    ruleIds: [],
    approvalCouldHelp: false,
    retrySafe: outcome === "not_executed",
  };
  const { reason } = record;
  const now = chainTime(tx, record, ports.clock.now());
  const judged = judgedBefore(tx, record);
  const payload = { outcome, evidence, resolver: operator.id, envelopeDigest: material.digest };
  await finish(tx, work, "execution_resolved", payload, now, { id: operator.id, type: "operator" });
  const advice = adviceOn("resolved", reason);
  return { kind: "settled", work, result: () => ({ ...judged, status: "in_doubt", reason, advice }) };
}
