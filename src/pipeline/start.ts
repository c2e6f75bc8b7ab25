import { buildRequest } from "../approval/request.js";
import { buildRoster } from "../approval/roster.js";
import { pendingApproval } from "../approval/state.js";
import type { Digest } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import type { ApprovalRequest, RosterEntry } from "../contracts/approval.js";
import type { EventPayload } from "../contracts/event.js";
import { effectKeyOf, guestInput, previewOf } from "../contracts/invocation.js";
import { plainMaterial, saltedMaterial } from "../contracts/material.js";
import { defaultApproverRole } from "../contracts/policy.js";
import { encodeBase64Url } from "../crypto/encoding.js";
import { ok, type Result, refuse } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { reserve } from "../safety/budget.js";
import { type ApprovalRecord, type EffectHolder, readState, writeState } from "./documents.js";
import type { IntentWork } from "./intent-work.js";
import { type Judgement, readBudget } from "./judge.js";
import { type RunKeys, reserveVersions } from "./key-values.js";
import { tellWaiting } from "./notices.js";
import type { Resolved } from "./registry.js";
import { approvalKeys, budgetKey, effectKeyName } from "./store-keys.js";

/** Everything a run needs once its start is durable. */
export type Start = {
  readonly work: IntentWork;
  readonly resolved: Resolved;
  readonly judgement: Judgement;
  readonly input: Uint8Array;
  readonly inputDigest: Digest;
  readonly configDigest: Digest;
  readonly startedDigest: Digest;
  readonly keys: RunKeys;
};

const runConfig = { schema: "exoarmur.run-config/v1", config: {}, logLevel: "info" } as const;

/**
 * Records execution_started, in the transaction that judged: takes the effect key, reserves the budgets, names the
 * spent approval. A refusal leaves nothing behind but what the caller records of it.
 *
 * @param spent digest of the approval request this start spends, or null
 */
export function start(
  tx: LedgerTx,
  work: IntentWork,
  resolved: Resolved,
  judgement: Judgement,
  spent: Digest | null,
  now: number,
): Result<Start> {
  const { intent, record, ports } = work;
  const input = guestInput(resolved.fn, intent);
  if (!input.ok) return input;
  const effectKey = effectKeyOf(resolved.fn, intent);
  if (!effectKey.ok) return effectKey;
  if (effectKey.value !== null) {
    const key = effectKeyName(record.tenantId, effectKey.value);
    const holder = readState<EffectHolder>(tx, key);
    if (holder !== undefined) {
      return refuse("EXO_EFFECT_KEY_HELD", `intent ${holder.intentId} holds the same effect key (${holder.state})`);
    }
    record.effectKey = effectKey.value;
    writeState(tx, key, { intentId: record.intentId, state: "in_flight" } satisfies EffectHolder);
  }
  const { fuel } = judgement.grants.limits;
  const { budgets } = ports.deployment.safety;
  const entries = reserve(readBudget(tx, record.tenantId), { id: record.intentId, runs: 1, fuel }, budgets, now);
  writeState(tx, budgetKey(record.tenantId), entries);
  record.reserved = { at: now, fuel };
  const owner = { tenantId: record.tenantId, executor: resolved.executor.manifest.name };
  const keys = reserveVersions(tx, owner, judgement.grants);
  const inputDigest = work.attach(tx, "input", saltedMaterial(ports.saltKey, "input", record.intentId, input.value));
  const configDigest = work.attachDocument(tx, "config", runConfig);
  const payload: EventPayload<"execution_started"> = {
    pluginDigest: resolved.executor.plugin.digest,
    manifestDigest: resolved.executor.manifestMaterial.digest,
    policyDigest: judgement.decision.policyDigest,
    grantsDigest: judgement.grantsDigest,
    inputDigest,
    configDigest,
    stateDigest: judgement.safety.stateDigest,
    killSwitchEpoch: judgement.killSwitchEpoch,
    spent,
  };
  const started = work.append(tx, "execution_started", payload, now);
  work.save(tx);
  const startedDigest = started.event.digest;
  return ok({ work, resolved, judgement, input: input.value, inputDigest, configDigest, startedDigest, keys });
}

/**
 * Records a request for approval. The request binds everything that would run; the preview is what approvers sign.
 * EXO_APPROVAL_ROSTER when too few people may approve, EXO_INTENT_EXPIRED.
 */
export function requestApproval(
  tx: LedgerTx,
  work: IntentWork,
  resolved: Resolved,
  judgement: Judgement,
  now: number,
): Result<ApprovalRequest> {
  const { intent, record, ports } = work;
  const { verdict } = judgement.final;
  if (verdict === "allow" || verdict === "deny")
    return refuse("EXO_VERDICT_UNKNOWN", `${verdict} asks for no approval`);
  const { obligations } = judgement.decision;
  const roster = presentRoster(tx, work, judgement);
  const request = buildRequest({
    requestId: ports.ids.next(),
    intent,
    intentDigest: work.intentDigest,
    policyDigest: judgement.decision.policyDigest,
    pluginDigest: resolved.executor.plugin.digest,
    manifestDigest: resolved.executor.manifestMaterial.digest,
    grantsDigest: judgement.grantsDigest,
    previewDigest: attachPreview(tx, work, resolved, judgement),
    verdict,
    obligations,
    roster,
    now,
    nonce: encodeBase64Url(ports.entropy.bytes(32)),
  });
  if (!request.ok) return request;
  const digest = work.attach(tx, "approval_request", plainMaterial(canonicalize(request.value)));
  work.append(tx, "approval_requested", { request: request.value, requestDigest: digest }, now);
  const { requestId } = request.value;
  record.approval = { requestId, digest };
  writeState(tx, approvalKeys.one(requestId), {
    requestId,
    intentId: record.intentId,
    digest,
    state: pendingApproval,
  } satisfies ApprovalRecord);
  writeState(tx, approvalKeys.byDigest(digest), requestId);
  tellWaiting(tx, work, request.value);
  work.save(tx);
  return request;
}

/** Who may decide on an intent now. */
export function presentRoster(
  tx: LedgerTx,
  { record, intent, ports }: IntentWork,
  { decision }: Judgement,
): RosterEntry[] {
  return buildRoster({
    trust: ports.deployment.trust,
    requester: record.requester,
    actor: intent.actor,
    tenantId: record.tenantId,
    roles: decision.obligations.roles ?? [defaultApproverRole],
    logSize: tx.size,
  });
}

/** Attaches the preview of what would run, and gives its digest. */
export function attachPreview(
  tx: LedgerTx,
  work: IntentWork,
  { executor, fn }: Resolved,
  { grants, attestations }: Judgement,
): Digest {
  return work.attachDocument(tx, "preview", previewOf(work.intent, executor.manifest, fn, grants, attestations));
}
