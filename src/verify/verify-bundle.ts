import { hiddenRoles } from "../contracts/redaction.js";
import type { Trust } from "../contracts/trust.js";
import { isExoArmurError } from "../errors.js";
import type { CedarEngine, LoadCedar } from "../policy/program.js";
import { checkAnswers } from "./check-answers.js";
import { checkApprovals } from "./check-approval.js";
import { checkAttestations } from "./check-attestations.js";
import { checkExecution, checkPlugin, checkTranscript } from "./check-execution.js";
import { checkGrants, checkPolicy, checkPolicyAuthor, checkSafety, checkVerdict } from "./check-governance.js";
import {
  checkEvents,
  checkIntent,
  checkMaterials,
  checkPayloads,
  checkRevisions,
  checkSignature,
  checkTarget,
} from "./check-integrity.js";
import { checkCheckpoint, checkInclusion, checkLogScope, checkWitnesses } from "./check-log.js";
import { checkPublisher } from "./check-publisher.js";
import { checkResolution } from "./check-resolution.js";
import { Evidence } from "./evidence.js";
import { type KeySource, keySource } from "./keys.js";
import { CheckEnd, type CheckResult, type Engines, makeReport, type VerificationReport } from "./report.js";
import { underRevisions } from "./revisions.js";

type Check = readonly [
  id: string,
  title: string,
  run: (evidence: Evidence, keys: KeySource, engines: Engines) => string,
];

/** Every check, in the order of the report (spec/verification.md). Each returns what it found when it passes. */
export const checks: readonly Check[] = [
  ["signature", "envelope signature", checkSignature],
  ["revisions", "revisions known", checkRevisions],
  ["materials", "materials have their digests", checkMaterials],
  ["intent", "intent is the subject", checkIntent],
  ["events", "events walk one life", checkEvents],
  ["payloads", "event payloads", checkPayloads],
  ["policy-author", "policy signed by its author", checkPolicyAuthor],
  ["policy", "policy re-evaluated", checkPolicy],
  ["attestations", "attestations verified", checkAttestations],
  ["safety", "safety gate re-evaluated", checkSafety],
  ["verdict", "verdict resolved", checkVerdict],
  ["target", "target is what the executor acts on", checkTarget],
  ["grants", "grants within manifest and policy", checkGrants],
  ["approvals", "approvals", checkApprovals],
  ["plugin", "plugin admitted and metered again", checkPlugin],
  ["publisher", "plugin signed by its publisher", checkPublisher],
  ["execution", "execution record", checkExecution],
  ["transcript", "host-call transcript", checkTranscript],
  ["answers", "who vouches for host answers", checkAnswers],
  ["resolution", "action in doubt resolved", checkResolution],
  ["inclusion", "log inclusion", checkInclusion],
  ["checkpoint", "checkpoint signature", checkCheckpoint],
  ["witnesses", "witness quorum", checkWitnesses],
  ["log", "log-wide checks", checkLogScope],
];

/** Runs one check; a refusal it throws is its result, and anything unforeseen is a failure, never a pass. */
export function runCheck(id: string, title: string, run: () => string): CheckResult {
  try {
    return { id, title, state: "pass", message: run() };
  } catch (error) {
    if (error instanceof CheckEnd) {
      const code = error.code === undefined ? {} : { code: error.code };
      return { id, title, state: error.state, ...code, message: error.message };
    }
    if (isExoArmurError(error)) return { id, title, state: "fail", code: error.code, message: error.message };
    const message = error instanceof Error ? error.message : String(error);
    return { id, title, state: "fail", code: "EXO_CHECK_FAILED", message: `the check broke: ${message}` };
  }
}

/** What a caller may give beside the file. */
export type VerifyOptions = {
  /** Trust file. Without one the bundle's own keys are used and the report says so. */
  readonly trust?: Trust;
  /** Cedar's engine, for decisions under a Cedar policy; without it they cannot be checked (exoarmur/cedar). */
  readonly cedar?: CedarEngine;
};

/** Whether a check could not be made for want of Cedar's engine. */
export function wantsCedar({ state, code }: CheckResult): boolean {
  return state === "unable" && code === "EXO_CEDAR_ENGINE";
}

/**
 * As verifyBundle, which is pure and takes no time to load anything: a bundle that was decided under Cedar is verified
 * again once the engine is there.
 */
export async function verifyLoading(
  bytes: Uint8Array,
  options: VerifyOptions,
  load: LoadCedar,
): Promise<VerificationReport> {
  const report = verifyBundle(bytes, options);
  if (options.cedar !== undefined || !report.checks.some(wantsCedar)) return report;
  return verifyBundle(bytes, { ...options, cedar: await load() });
}

/**
 * Verifies a proof bundle offline and without re-executing it (spec/verification.md). Pure; never throws for anything
 * the bytes can hold.
 *
 * @param bytes the exact bytes of a `*.proof.json` file
 */
export function verifyBundle(bytes: Uint8Array, options: VerifyOptions = {}): VerificationReport {
  const trust = options.trust ?? null;
  const trustMode = trust === null ? "self_check_only" : "pinned";
  const opened: { evidence?: Evidence } = {};
  const format = runCheck("format", "bundle is well formed", () => {
    opened.evidence = Evidence.open(bytes);
    return `${bytes.length} bytes`;
  });
  const { evidence } = opened;
  if (evidence === undefined) {
    return makeReport({ trustMode, bundleDigest: null, intentId: null, correlationId: null }, [format]);
  }
  const keys = keySource(evidence, trust);
  const { intentId, correlationId, revisions } = evidence.predicate;
  const results = checks.map(([id, title, run]) =>
    underRevisions(
      runCheck(id, title, () => run(evidence, keys, options)),
      revisions,
    ),
  );
  const facts = { trustMode, bundleDigest: evidence.digest, intentId, correlationId } as const;
  const hidden = hiddenRoles(evidence.predicate, (digest) => evidence.materials.has(digest));
  return makeReport(facts, [format, ...results], { hidden });
}
