import type { Digest } from "../canonical/digest.js";
import { canonicalText } from "../canonical/jcs.js";
import { actionClassOf } from "../contracts/action-class.js";
import { envelopeSchema, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import { grantsSchema } from "../contracts/manifest.js";
import { type PolicyDecision, policyInputSchema } from "../contracts/policy.js";
import { type AnyPolicy, anyPolicySchema, isCedar } from "../contracts/policy-cedar.js";
import {
  type FinalVerdict,
  type SafetyVerdict,
  safetyConfigSchema,
  safetySnapshotSchema,
} from "../contracts/safety.js";
import { equalBytes } from "../crypto/encoding.js";
import { isExoArmurError } from "../errors.js";
import { cedarEvaluatorName, cedarRevision, engineFailure } from "../policy/cedar/names.js";
import { evaluatorName, type PolicyOutcome, policyRevision } from "../policy/evaluate.js";
import type { PolicySubject } from "../policy/match.js";
import { isWithin, limitToEffects } from "../policy/narrow.js";
import { type CedarEngine, compileProgram, type PolicyProgram } from "../policy/program.js";
import { recordedSubject } from "../policy/recorded.js";
import { evaluateSafety } from "../safety/gate.js";
import { resolveVerdict } from "../safety/resolve.js";
import type { Evidence } from "./evidence.js";
import type { KeySource } from "./keys.js";
import { type Engines, expect, fail, notApplicable, unable } from "./report.js";

function requireSome<T>(items: readonly T[], what: string): readonly T[] {
  return items.length === 0 ? notApplicable(`no ${what}: the intent was refused before`) : items;
}

function sameJson(a: unknown, b: unknown): boolean {
  return canonicalText(a) === canonicalText(b);
}

/** Every policy that decided is signed by a policy author, or pinned by digest in the trust file. */
export function checkPolicyAuthor(evidence: Evidence, keys: KeySource): string {
  const decisions = requireSome(evidence.eventsOf("policy_evaluated"), "policy decision");
  const needed = new Set<Digest>(decisions.map(({ payload }) => payload.decision.policyDigest));
  const authors = keys.keysFor("policy-author").map((key) => key.publicKey);
  const envelopes = evidence
    .digestsOf("policy_envelope")
    .map((digest) => evidence.document(digest, "policy_envelope", envelopeSchema));
  for (const digest of needed) {
    if (keys.trust?.policies?.includes(digest)) continue;
    const bytes = evidence.content(digest, "policy");
    const opened = envelopes.map((envelope) => openEnvelope(envelope, payloadTypes.policy, authors));
    const signed = opened.some((result) => result.ok && equalBytes(result.value.payload, bytes));
    const why = opened.find((result) => !result.ok);
    const code = why !== undefined && !why.ok ? why.error.code : "EXO_TRUST";
    if (!signed)
      fail(code, `policy ${digest} is neither signed by a trusted policy author nor listed in the trust file`);
  }
  return `${needed.size === 1 ? "policy" : `${needed.size} policies`} signed or pinned`;
}

/** The evaluators this build has, and their revisions. */
const evaluators: Readonly<Record<string, number>> = {
  [evaluatorName]: policyRevision,
  [cedarEvaluatorName]: cedarRevision,
};

/** Every policy decision, evaluated again from the recorded policy and input, comes out the same. */
export function checkPolicy(evidence: Evidence, _keys: KeySource, { cedar }: Engines): string {
  const decisions = requireSome(evidence.eventsOf("policy_evaluated"), "policy decision");
  const received = evidence.eventsOf("intent_received")[0];
  const { manifest, fn, intent } = evidence.invocation();
  let last = "";
  for (const { event, payload } of decisions) {
    const { decision } = payload;
    const { name: evaluator, revision } = decision.evaluator;
    if (!Object.hasOwn(evaluators, evaluator) || evaluators[evaluator] !== revision) {
      unable("EXO_REVISION", `the decision was made by ${evaluator} ${revision}`);
    }
    const input = evidence.document(decision.inputDigest, "policy_input", policyInputSchema);
    expect(input.intentDigest === evidence.only("intent"), "EXO_CHECK_FAILED", "the policy judged another intent");
    expect(
      sameJson(input.requester, received?.payload.requester),
      "EXO_CHECK_FAILED",
      "the policy judged another requester",
    );
    expect(input.pluginDigest === manifest.wasm.digest, "EXO_CHECK_FAILED", "the policy judged another plugin");
    expect(
      input.manifestDigest === evidence.only("manifest"),
      "EXO_CHECK_FAILED",
      "the policy judged another manifest",
    );
    expect(input.effects === fn.effects, "EXO_CHECK_FAILED", "the policy judged other effects");
    expect(input.evaluatedAt === event.header.recordedAt, "EXO_CHECK_FAILED", "the policy judged at another time");
    const again = evaluateAgain(
      evidence.document(decision.policyDigest, "policy", anyPolicySchema),
      decision,
      recordedSubject(intent, input),
      cedar ?? null,
    );
    for (const name of ["verdict", "ruleIds", "rationale", "obligations"] as const) {
      expect(
        sameJson(again[name], decision[name]),
        "EXO_CHECK_FAILED",
        `the policy gives ${name} ${canonicalText(again[name])}, recorded is ${canonicalText(decision[name])}`,
      );
    }
    last = `${decision.verdict} by ${decision.ruleIds.join(", ")}`;
  }
  return last;
}

/** Cedar policies compiled so far, by engine and digest: many bundles of a folder are under the same few. */
const compiled = new WeakMap<CedarEngine, Map<Digest, PolicyProgram>>();
const maxCompiled = 8;

function programOf(policy: AnyPolicy, digest: Digest, cedar: CedarEngine | null): PolicyProgram {
  if (!isCedar(policy) || cedar === null) return compileProgram(policy, cedar);
  const known = compiled.get(cedar) ?? new Map<Digest, PolicyProgram>();
  compiled.set(cedar, known);
  const program = known.get(digest) ?? compileProgram(policy, cedar);
  if (known.size >= maxCompiled && !known.has(digest)) known.clear();
  known.set(digest, program);
  return program;
}

/** What the recorded policy says now. Without its engine, or under another release of it, that cannot be told. */
function evaluateAgain(
  policy: AnyPolicy,
  { evaluator, policyDigest, rationale }: PolicyDecision,
  subject: PolicySubject,
  cedar: CedarEngine | null,
): PolicyOutcome {
  const wanted = isCedar(policy) ? cedarEvaluatorName : evaluatorName;
  expect(evaluator.name === wanted, "EXO_CHECK_FAILED", `the policy is one for ${wanted}, not for ${evaluator.name}`);
  if (isCedar(policy) && rationale === engineFailure) {
    unable("EXO_CEDAR_ENGINE", "Cedar's engine failed when the decision was made; nothing gives that again");
  }
  try {
    const program = programOf(policy, policyDigest, cedar);
    const { engine } = program.evaluator;
    if (evaluator.engine !== engine) {
      unable(
        "EXO_REVISION",
        `the decision was made by Cedar ${evaluator.engine ?? "unnamed"}; this is ${engine ?? "none"}`,
      );
    }
    return program.evaluate(subject);
  } catch (error) {
    if (isExoArmurError(error, "EXO_CEDAR_ENGINE")) unable(error.code, error.message);
    throw error;
  }
}

/** Every safety verdict, evaluated again from the recorded snapshot and configuration, comes out the same. */
export function checkSafety(evidence: Evidence): string {
  const verdicts = requireSome(evidence.eventsOf("safety_evaluated"), "safety verdict");
  const intent = evidence.intent();
  let last = "";
  for (const { event, payload } of verdicts) {
    const { verdict } = payload;
    const snapshot = evidence.document(verdict.stateDigest, "safety_snapshot", safetySnapshotSchema);
    const config = evidence.document(verdict.configDigest, "safety_config", safetyConfigSchema);
    expect(
      snapshot.tenantId === intent.tenantId && snapshot.actorId === intent.actor.id,
      "EXO_CHECK_FAILED",
      "the safety snapshot is of another tenant or actor",
    );
    expect(
      snapshot.takenAt === event.header.recordedAt,
      "EXO_CHECK_FAILED",
      "the safety snapshot was taken at another time",
    );
    const wanted =
      config.operatorApproval === undefined ? undefined : actionClassOf(intent, evidence.invocation().fn.effects);
    expect(snapshot.actionClass === wanted, "EXO_CHECK_FAILED", "the safety snapshot names another action class");
    const again = evaluateSafety(snapshot, config);
    for (const name of ["verdict", "ruleIds", "rulesOff", "rationale"] as const) {
      expect(
        sameJson(again[name], verdict[name]),
        "EXO_CHECK_FAILED",
        `the gate gives ${name} ${canonicalText(again[name])}, recorded is ${canonicalText(verdict[name])}`,
      );
    }
    last = `${verdict.verdict} by ${verdict.ruleIds.join(", ")}`;
  }
  return last;
}

/** Policy and safety resolve to the recorded verdict, and what followed is what that verdict permits. */
export function checkVerdict(evidence: Evidence): string {
  const events = evidence.events();
  const { verdicts } = evidence.predicate;
  let decision: PolicyDecision | null = null;
  let safety: SafetyVerdict | null = null;
  let final: FinalVerdict | null = null;
  for (const event of events) {
    const type = event.header.eventType;
    if (type === "policy_evaluated") decision = evidence.payloadOf(event, type).decision;
    if (type === "safety_evaluated") safety = evidence.payloadOf(event, type).verdict;
    if (type === "verdict_resolved") {
      expect(decision !== null && safety !== null, "EXO_CHECK_FAILED", "a verdict without a decision");
      final = evidence.payloadOf(event, type).final;
      const again = resolveVerdict(decision, safety);
      expect(
        sameJson(again, final),
        "EXO_CHECK_FAILED",
        `expected ${canonicalText(again)}, recorded is ${canonicalText(final)}`,
      );
    }
    if (type === "approval_requested") {
      expect(
        final?.verdict.startsWith("require_") ?? false,
        "EXO_CHECK_FAILED",
        "an approval that no verdict asked for",
      );
    }
    if (type === "execution_started") {
      const { spent } = evidence.payloadOf(event, type);
      const may = final?.verdict === "allow" || (final?.verdict.startsWith("require_") && spent !== null);
      expect(may === true, "EXO_CHECK_FAILED", `an execution started under the verdict ${final?.verdict ?? "none"}`);
    }
  }
  expect(
    verdicts.policy === (decision?.verdict ?? null),
    "EXO_CHECK_FAILED",
    "the statement names another policy verdict",
  );
  expect(
    verdicts.safety === (safety?.verdict ?? null),
    "EXO_CHECK_FAILED",
    "the statement names another safety verdict",
  );
  expect(
    verdicts.final === (final?.verdict ?? "deny"),
    "EXO_CHECK_FAILED",
    "the statement names another final verdict",
  );
  return verdicts.final;
}

/** The grants of the run lie inside what the manifest asks for, its function's effects, and what the policy narrows. */
export function checkGrants(evidence: Evidence): string {
  const { payload, index } = evidence.started();
  const { manifest, fn, intent } = evidence.invocation();
  const decision = evidence.eventsOf("policy_evaluated").findLast((entry) => entry.index < index)?.payload.decision;
  const grants = evidence.document(payload.grantsDigest, "grants", grantsSchema);
  expect(
    isWithin(grants.capabilities, manifest, decision?.obligations.narrow, intent.target ?? null),
    "EXO_CHECK_FAILED",
    "a granted capability is wider than the manifest or the policy's obligation",
  );
  for (const grant of grants.capabilities) {
    const limited = limitToEffects(grant, fn.effects);
    expect(
      limited !== null && canonicalText(limited) === canonicalText(grant),
      "EXO_CHECK_FAILED",
      `${grant.name} was granted to a function whose effects are ${fn.effects}`,
    );
  }
  for (const [name, limit] of Object.entries(grants.limits)) {
    const asked = manifest.limits[name as keyof typeof manifest.limits];
    expect(limit <= asked, "EXO_CHECK_FAILED", `the limit ${name} is ${limit}, the manifest's is ${asked}`);
  }
  return grants.capabilities.map((grant) => grant.name).join(", ") || "no capabilities";
}
