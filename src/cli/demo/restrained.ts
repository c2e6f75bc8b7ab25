import { signGrantWith } from "../../approval/sign.js";
import { ulidSource } from "../../canonical/ids.js";
import { formatTime } from "../../canonical/time.js";
import type { ApprovalRequest } from "../../contracts/approval.js";
import type { Reason } from "../../contracts/event.js";
import { encodeBase64Url } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import { writeBundle } from "../../home/bundles.js";
import { keyFileOf, readKeyFile } from "../../home/keys.js";
import type { HomePaths } from "../../home/paths.js";
import type { ExecutionResult } from "../../pipeline/types.js";
import type { Logger } from "../../ports.js";
import type { Environment } from "../../runtime/system.js";
import { createRuntime, type Runtime } from "../../runtime.js";
import { type EndpointServer, endpointApi, openEndpoint, type SeenRequest } from "./restrained-endpoint.js";
import { auditStreamId, demoEvent, detect, type OperatorDecision } from "./restrained-event.js";
import { approvalSeconds, type DemoClock, demoClock, demoEntropy } from "./restrained-home.js";

/** What the demo found. Every member is what happened, none is assumed. */
export type RestrainedOutcome = {
  readonly streamId: string;
  readonly intentId: string;
  /** Final verdict and the rules behind it, before anybody decided. */
  readonly verdict: string;
  readonly ruleIds: readonly string[];
  readonly decision: OperatorDecision;
  readonly status: ExecutionResult["status"];
  /** The recorded reason of a denial or failure. */
  readonly reason: Pick<Reason, "code" | "message"> | null;
  /** Everything that reached the endpoint, and whether it is isolated now. */
  readonly seen: readonly SeenRequest[];
  readonly isolated: boolean;
  readonly bundlePath: string | null;
};

/** Where the demo plays. */
export type RestrainedStage = {
  readonly paths: HomePaths;
  readonly decision: OperatorDecision;
  readonly env: Environment;
  readonly logger: Logger;
};

/** Seconds between the request and the operator's decision, on the demo's clock. */
const decisionSeconds = 30;

/**
 * A telemetry event leads to a containment intent, which waits for an operator; once approved it really calls the
 * endpoint's management, which listens only while this runs. Ids, records and outcome are the same in every run.
 */
export async function playRestrained(stage: RestrainedStage): Promise<RestrainedOutcome> {
  const { paths, decision } = stage;
  const streamId = auditStreamId(demoEvent, decision);
  const draft = detect(demoEvent, endpointApi, streamId);
  if (draft === null) throw new ExoArmurError("EXO_INTERNAL", "the demo's event asks for no containment");
  const endpoint = await openEndpoint();
  try {
    const clock = demoClock();
    const runtime = await openRuntime(stage, clock, endpoint);
    try {
      clock.advance(1);
      const asked = await runtime.execute(draft);
      const result = asked.status === "approval_pending" ? await decided(runtime, asked.approval, stage, clock) : asked;
      const bundlePath = "bundle" in result ? await writeBundle(paths, result.intentId, result.bundle.bytes()) : null;
      return {
        streamId,
        intentId: result.intentId,
        verdict: asked.status === "approval_pending" ? asked.approval.verdict : asked.status,
        ruleIds: [...(asked.decision?.ruleIds ?? []), ...(asked.safety?.ruleIds ?? [])],
        decision,
        status: result.status,
        reason: "reason" in result ? { code: result.reason.code, message: result.reason.message } : null,
        seen: [...endpoint.seen],
        isolated: endpoint.isolated.has(demoEvent.endpointId),
        bundlePath,
      };
    } finally {
      await runtime.close();
    }
  } finally {
    await endpoint.close();
  }
}

async function openRuntime(
  { paths, env, logger }: RestrainedStage,
  clock: DemoClock,
  endpoint: EndpointServer,
): Promise<Runtime> {
  const ids = ulidSource(clock, demoEntropy("ids"));
  // The name in the intent is the same in every run; where it leads is this run's own affair.
  const resolver = async (host: string): Promise<readonly string[]> =>
    host === endpointApi.host ? [endpoint.address] : [];
  return await createRuntime({ home: paths.home, clock, ids, entropy: demoEntropy("runtime"), env, logger, resolver });
}

/** What becomes of a request: the operator signs a decision, or nobody does until it expires. */
async function decided(
  runtime: Runtime,
  request: ApprovalRequest,
  { paths, decision }: RestrainedStage,
  clock: DemoClock,
): Promise<ExecutionResult> {
  if (decision === "none") {
    clock.advance(approvalSeconds + 1);
    await runtime.pipeline.expireApprovals();
    return runtime.status(request.intentId);
  }
  clock.advance(decisionSeconds);
  const { signer } = await readKeyFile(keyFileOf(paths.keys, "approver"), "approver");
  const grant = await signGrantWith(request, {
    signer,
    approverId: "operator-demo-001",
    decision,
    reason: decision === "deny" ? "the process is a drill" : "malware on a workstation",
    signedAt: formatTime(clock.now()),
    nonce: encodeBase64Url(demoEntropy("grant").bytes(32)),
  });
  return await runtime.decide(grant);
}

/** True when everything went as the decision asks: isolated by one request after an approval, else denied and untouched. */
export function isAsDecided({ decision, status, seen, isolated }: RestrainedOutcome): boolean {
  return decision === "approve"
    ? status === "executed" && isolated && seen.length === 1
    : status === "denied" && !isolated && seen.length === 0;
}

const results: Readonly<Partial<Record<ExecutionResult["status"], string>>> = {
  executed: "APPROVED",
  denied: "DENIED",
};

const refusals: Readonly<Record<string, string>> = {
  EXO_APPROVAL_EXPIRED: "Operator approval required but not provided",
  EXO_APPROVAL_DENIED: "Operator approval denied",
};

/** What the demo prints, the reference's three lines last. `shown` makes paths fit for reading. */
export function restrainedLines(outcome: RestrainedOutcome, shown: (path: string) => string): string[] {
  const { reason, seen, bundlePath } = outcome;
  const { eventId, endpointId, severity, processName } = demoEvent;
  const requests = seen.map(({ method, path }) => `${method} ${path}`).join(", ");
  return [
    `telemetry   ${eventId}   ${endpointId}   severity ${severity}   ${processName}`,
    `intent      ${outcome.intentId}   containment.isolate ${endpointId}   A2_hard_containment`,
    `verdict     ${outcome.verdict}   ${outcome.ruleIds.join(", ")}`,
    `operator    ${outcome.decision === "none" ? `no decision within ${approvalSeconds} s` : outcome.decision}`,
    `endpoint    saw ${requests === "" ? "nothing" : requests}`,
    `recorded    ${outcome.status}${reason === null ? "" : `   ${reason.code}: ${reason.message}`}`,
    ...(bundlePath === null ? [] : [`bundle      ${shown(bundlePath)}`]),
    ...(reason === null ? [] : [`Refusal reason: ${refusals[reason.code] ?? reason.message}`]),
    `DEMO_RESULT=${results[outcome.status] ?? "FAILED"}`,
    `ACTION_EXECUTED=${outcome.isolated}`,
    `AUDIT_STREAM_ID=${outcome.streamId}`,
  ];
}
