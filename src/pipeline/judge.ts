import type { Digest } from "../canonical/digest.js";
import { formatTime } from "../canonical/time.js";
import { actionClassOf } from "../contracts/action-class.js";
import type { AttestationFacts } from "../contracts/attestation.js";
import type { Grants } from "../contracts/manifest.js";
import type { Material } from "../contracts/material.js";
import type { PolicyDecision, PolicyInput } from "../contracts/policy.js";
import type { FinalVerdict, SafetySnapshot, SafetyVerdict } from "../contracts/safety.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { limitToEffects, narrowGrants } from "../policy/narrow.js";
import type { PolicyProgram } from "../policy/program.js";
import { type BudgetEntry, budgetUse } from "../safety/budget.js";
import { evaluateSafety } from "../safety/gate.js";
import { resolveVerdict } from "../safety/resolve.js";
import { type ActivePolicy, type KillSwitchState, readState } from "./documents.js";
import type { IntentWork } from "./intent-work.js";
import type { Resolved } from "./registry.js";
import { budgetKey, stateKeys, trustScoreKey } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/** The policy in force: what is evaluated, and the materials that show it. */
export type PolicyInForce = {
  readonly program: PolicyProgram;
  readonly document: Material;
  readonly envelope: Material;
  /** Public keys of the authors that signed it. */
  readonly authors: readonly Uint8Array[];
};

/** What judging an intent gave. */
export type Judgement = {
  readonly decision: PolicyDecision;
  readonly safety: SafetyVerdict;
  readonly final: FinalVerdict;
  readonly grants: Grants;
  readonly grantsDigest: Digest;
  readonly killSwitchEpoch: number;
  /** Verified attestations that the policy saw. */
  readonly attestations: readonly AttestationFacts[];
};

/** Grants of one run: manifest, deployment and policy narrowed, and nothing beyond the function's declared effects. */
function grantsOf(
  { executor, fn }: Resolved,
  decision: Pick<PolicyDecision, "obligations">,
  target: string | null,
  ports: PipelinePorts,
): Grants {
  const { manifest } = executor;
  const deployment = Object.hasOwn(ports.deployment.grants, manifest.name)
    ? ports.deployment.grants[manifest.name]
    : {};
  const capabilities = narrowGrants({
    manifest,
    deployment: deployment ?? {},
    narrow: decision.obligations.narrow,
    target,
  });
  return {
    schema: "exoarmur.grants/v1",
    capabilities: capabilities.flatMap((grant) => limitToEffects(grant, fn.effects) ?? []),
    limits: manifest.limits,
  };
}

/**
 * Judges an intent inside a transaction: policy, safety gate on the state as this transaction sees it, resolution. All
 * three are recorded with everything they read, so that anybody can judge again.
 */
export function judge(
  tx: LedgerTx,
  work: IntentWork,
  resolved: Resolved,
  policy: PolicyInForce,
  attestations: readonly AttestationFacts[],
  now: number,
): Judgement {
  const { ports, intent, record } = work;
  const decision = judgePolicy(tx, work, resolved, policy, attestations, now);
  const target = intent.target ?? null;
  const grants = grantsOf(resolved, decision, target, ports);
  const snapshot = takeSnapshot(tx, work, resolved, policy, grants.limits.fuel, now);
  const outcome = evaluateSafety(snapshot, ports.deployment.safety);
  const safety: SafetyVerdict = {
    schema: "exoarmur.safety-verdict/v1",
    verdict: outcome.verdict,
    ruleIds: [...outcome.ruleIds],
    rulesOff: [...outcome.rulesOff],
    rationale: outcome.rationale,
    stateDigest: work.attachDocument(tx, "safety_snapshot", snapshot),
    configDigest: work.attachDocument(tx, "safety_config", ports.deployment.safety),
  };
  work.append(tx, "safety_evaluated", { verdict: safety }, now);
  const final = resolveVerdict(decision, safety);
  work.append(tx, "verdict_resolved", { final }, now);
  record.verdicts = { policy: decision.verdict, safety: safety.verdict, final: final.verdict };
  const grantsDigest = work.attachDocument(tx, "grants", grants);
  const killSwitchEpoch = snapshot.killSwitch.epoch;
  return { decision, safety, final, grants, grantsDigest, killSwitchEpoch, attestations };
}

function judgePolicy(
  tx: LedgerTx,
  work: IntentWork,
  { executor, fn }: Resolved,
  policy: PolicyInForce,
  attestations: readonly AttestationFacts[],
  now: number,
): PolicyDecision {
  const { intent, record, ports } = work;
  const input: PolicyInput = {
    schema: "exoarmur.policy-input/v1",
    intentDigest: work.intentDigest,
    requester: record.requester,
    pluginDigest: work.attach(tx, "plugin", executor.plugin),
    manifestDigest: work.attach(tx, "manifest", executor.manifestMaterial),
    effects: fn.effects,
    evaluatedAt: formatTime(now),
    ...(attestations.length === 0 ? {} : { attestations: [...attestations] }),
  };
  attachSignature(tx, work, executor);
  work.attach(tx, "policy_envelope", policy.envelope);
  for (const author of policy.authors) work.nameKey("policy-author", author);
  const outcome = policy.program.decide({
    intent,
    requester: record.requester,
    effects: fn.effects,
    attestations,
  });
  const decision: PolicyDecision = {
    schema: "exoarmur.policy-decision/v1",
    decisionId: ports.ids.next(),
    verdict: outcome.verdict,
    ruleIds: outcome.ruleIds,
    rationale: outcome.rationale,
    obligations: outcome.obligations,
    policyDigest: work.attach(tx, "policy", policy.document),
    inputDigest: work.attachDocument(tx, "policy_input", input),
    evaluator: policy.program.evaluator,
  };
  work.append(tx, "policy_evaluated", { decision }, now);
  return decision;
}

/** Names what shows who published the executor, where somebody signed it. */
function attachSignature(tx: LedgerTx, work: IntentWork, { signature }: Resolved["executor"]): void {
  if (signature === undefined) return;
  work.attach(tx, "manifest_envelope", signature.envelope);
  work.attach(tx, "plugin_admission", signature.evidence);
  for (const publisher of signature.signers) work.nameKey("publisher", publisher);
}

/** The safety gate's signals as this transaction sees them (spec/safety.md). */
function takeSnapshot(
  tx: LedgerTx,
  work: IntentWork,
  { fn }: Resolved,
  policy: PolicyInForce,
  fuel: number,
  now: number,
): SafetySnapshot {
  const { ports, intent } = work;
  const { safety } = ports.deployment;
  const switches = readState<KillSwitchState>(tx, stateKeys.killSwitch);
  const active = readState<ActivePolicy>(tx, stateKeys.policy);
  const load = ports.sandbox.load();
  const tenantSwitch =
    switches !== undefined && Object.hasOwn(switches.tenants, intent.tenantId)
      ? switches.tenants[intent.tenantId]
      : undefined;
  return {
    schema: "exoarmur.safety-snapshot/v1",
    takenAt: formatTime(now),
    tenantId: intent.tenantId,
    actorId: intent.actor.id,
    killSwitch: {
      // The KILL file denies by its existence, whatever the store says.
      global: ports.governor.killed() ? true : booleanOf(switches?.global),
      tenant: booleanOf(tenantSwitch),
      epoch: switches?.epoch ?? 0,
    },
    policyVerified: active?.digest === policy.document.digest,
    trustScore:
      safety.sources.trustScore === "off"
        ? null
        : ratioOf(readState(tx, trustScoreKey(intent.tenantId, intent.actor.id)) ?? 1),
    cellLoad:
      safety.sources.cellLoad === "off" ? null : ratioOf((load.running + load.queued) / (load.size + load.queueBound)),
    // No peers exist before federation, so a deployment that asks for their health gets none, which denies.
    networkHealth: null,
    budgets: budgetUse(readBudget(tx, intent.tenantId), safety.budgets, { runs: 1, fuel }, now),
    ...(safety.operatorApproval === undefined ? {} : { actionClass: actionClassOf(intent, fn.effects) }),
  };
}

/** A source that gives no number from 0 to 1 gave nothing, which the gate denies and a snapshot can hold. */
function ratioOf(value: unknown): number | null {
  return typeof value === "number" && value >= 0 && value <= 1 ? value : null;
}

function booleanOf(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

/** A tenant's budget ledger. */
export function readBudget(tx: LedgerTx, tenantId: string): readonly BudgetEntry[] {
  return readState<BudgetEntry[]>(tx, budgetKey(tenantId)) ?? [];
}
