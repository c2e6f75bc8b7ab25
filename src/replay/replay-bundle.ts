import type { DivergenceKind, Level } from "../contracts/replay-report.js";
import type { Trust } from "../contracts/trust.js";
import type { LoadCedar } from "../policy/program.js";
import type { SandboxHost } from "../ports.js";
import { Evidence } from "../verify/evidence.js";
import { keySource } from "../verify/keys.js";
import { CheckEnd, type CheckResult, type Engines } from "../verify/report.js";
import { checks, runCheck, wantsCedar } from "../verify/verify-bundle.js";
import { reExecute } from "./re-execute.js";
import type { Findings } from "./report.js";

/** The level each check of the verifier belongs to, and what its failure is called. */
const placed: Readonly<Record<string, readonly [Level, DivergenceKind]>> = {
  format: ["structure", "canonicalization_mismatch"],
  signature: ["structure", "signature_mismatch"],
  revisions: ["structure", "schema_version_mismatch"],
  materials: ["structure", "payload_hash_mismatch"],
  intent: ["structure", "payload_hash_mismatch"],
  events: ["structure", "lifecycle_mismatch"],
  payloads: ["structure", "payload_hash_mismatch"],
  inclusion: ["structure", "log_proof_mismatch"],
  checkpoint: ["structure", "log_proof_mismatch"],
  witnesses: ["structure", "log_proof_mismatch"],
  log: ["structure", "missing_events"],
  "policy-author": ["governance", "signature_mismatch"],
  policy: ["governance", "policy_verdict_mismatch"],
  safety: ["governance", "safety_verdict_mismatch"],
  verdict: ["governance", "final_verdict_mismatch"],
  target: ["governance", "policy_verdict_mismatch"],
  grants: ["governance", "approval_mismatch"],
  approvals: ["governance", "approval_mismatch"],
  resolution: ["governance", "approval_mismatch"],
  plugin: ["execution", "plugin_digest_mismatch"],
  execution: ["execution", "execution_status_mismatch"],
  transcript: ["execution", "host_call_mismatch"],
};

const unplaced = ["structure", "schema_version_mismatch"] as const;

/** What a replay re-executes with, and whom it trusts. */
export type ReplayContext = {
  readonly sandbox: SandboxHost | null;
  readonly trust: Trust | null;
  /** Loads Cedar's engine when a decision needs it; null where there is none. */
  readonly cedar: LoadCedar | null;
};

/** What a bundle was found to hold; `id` is empty when it is no bundle. */
export type BundleCounts = {
  readonly id: string;
  /** Digests of the events it names, in order. */
  readonly events: readonly string[];
  readonly executions: number;
};

/** Replays one bundle into `findings`: every check of the verifier on its level, then the execution itself. */
export async function replayBundleInto(
  findings: Findings,
  bytes: Uint8Array,
  context: ReplayContext,
): Promise<BundleCounts> {
  const opened: { evidence?: Evidence } = {};
  const format = runCheck("format", "bundle is well formed", () => {
    opened.evidence = Evidence.open(bytes);
    return `${bytes.length} bytes`;
  });
  const { evidence } = opened;
  addCheck(findings, format, null);
  if (evidence === undefined) return { id: "", events: [], executions: 0 };
  const { intentId, events } = evidence.predicate;
  const keys = keySource(evidence, context.trust);
  for (const [id, title, run] of checks) {
    const make = (engines: Engines) => runCheck(id, title, () => run(evidence, keys, engines));
    const result = make({});
    const again = context.cedar !== null && wantsCedar(result) ? make({ cedar: await context.cedar() }) : result;
    addCheck(findings, again, intentId);
  }
  const before = findings.executions.length;
  await addExecution(findings, evidence, context.sandbox);
  return { id: intentId, events: events.map((event) => event.digest), executions: findings.executions.length - before };
}

function addCheck(findings: Findings, result: CheckResult, intentId: string | null): void {
  const [level, kind] = placed[result.id] ?? unplaced;
  const check = { level, intentId, ...result };
  if (result.state !== "fail") {
    findings.add(check);
    return;
  }
  findings.diverge(check, {
    level,
    step: result.id,
    kind,
    intentId,
    expected: "the check to hold",
    actual: `${result.code ?? "EXO_CHECK_FAILED"}: ${result.message}`,
  });
}

async function addExecution(findings: Findings, evidence: Evidence, sandbox: SandboxHost | null): Promise<void> {
  const { intentId } = evidence.predicate;
  const about = { level: "execution", intentId, id: "re-execution", title: "plugin re-executed" } as const;
  if (sandbox === null) {
    findings.add({ ...about, state: "not_applicable", message: "no sandbox was given: nothing was re-executed" });
    return;
  }
  try {
    const { comparison, divergence } = await reExecute(evidence, sandbox);
    findings.executions.push(comparison);
    const { status, fuel, hostCalls } = comparison.replayed;
    if (divergence === null) {
      const message = `${status}: same output, ${fuel} fuel, ${hostCalls} host calls`;
      findings.add({ ...about, state: "pass", message });
      return;
    }
    const message = `${divergence.kind} at ${divergence.step}: expected ${divergence.expected}, came ${divergence.actual}`;
    findings.diverge({ ...about, code: "EXO_REPLAY_DIVERGED", message }, divergence);
  } catch (error) {
    if (error instanceof CheckEnd && error.state !== "fail") {
      findings.add({
        ...about,
        state: error.state,
        ...(error.code === undefined ? {} : { code: error.code }),
        message: error.message,
      });
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    const actual = `could not be re-executed: ${message}`;
    findings.diverge(
      { ...about, code: "EXO_REPLAY_DIVERGED", message: actual },
      {
        level: "execution",
        step: "re-execution",
        kind: "execution_status_mismatch",
        intentId,
        expected: "the recorded run",
        actual,
      },
    );
  }
}
