import { approvalGrantSchema, approvalRequestSchema, previewSchema } from "../../contracts/approval.js";
import { parseEnvelope } from "../../contracts/dsse.js";
import type { EventPayload, EventType, Reason } from "../../contracts/event.js";
import type { ExecutionRecord } from "../../contracts/execution.js";
import { grantsSchema } from "../../contracts/manifest.js";
import { anyPolicySchema, isCedar } from "../../contracts/policy-cedar.js";
import { safetySnapshotSchema } from "../../contracts/safety.js";
import { decodeBase64 } from "../../crypto/encoding.js";
import { type Evidence, parseDocument } from "../../verify/evidence.js";
import { type Blob, documentBlob } from "./blob.js";
import { formatCount, formatPages, shortDigest } from "./format.js";
import { materialBlob, part, type Row, type StepKind, type StepPart } from "./step.js";

/** How one type of event is told. `tell` reads the `at`-th event of its type. */
type Teller = {
  readonly kind: StepKind;
  readonly title: string;
  readonly checks: readonly string[];
  readonly tell: (evidence: Evidence, at: number) => StepPart;
};

function payload<T extends EventType>(evidence: Evidence, type: T, at: number): EventPayload<T> {
  const found = evidence.eventsOf(type)[at];
  if (found === undefined) throw new Error(`there is no ${type} number ${at}`);
  return found.payload;
}

/** A teller of one type of event; its payload is read first. */
function teller<T extends EventType>(
  type: T,
  [kind, title, ...checks]: readonly [StepKind, string, ...string[]],
  tell: (evidence: Evidence, payload: EventPayload<T>) => StepPart,
): Teller {
  return { kind, title, checks, tell: (evidence, at) => tell(evidence, payload(evidence, type, at)) };
}

/** Tellers by type of event. One that has none is told by its name. */
export const eventTellers: Readonly<Partial<Record<EventType, Teller>>> = {
  intent_received: teller(
    "intent_received",
    ["intent", "Intent", "intent", "target", "attestations"],
    (evidence, { requester, attestations = [] }) => {
      const intent = evidence.intent();
      const { executor, parameters } = intent;
      return {
        summary: intent.action,
        rows: [
          ["action", intent.action],
          ["target", intent.target ?? "none"],
          ["actor", `${intent.actor.id} (${intent.actor.type})`],
          ["handed in by", `${requester.principal}, as seen by ${requester.method}`],
          ["executor", executor === undefined ? "none" : `${executor.name} ${executor.function ?? ""}`],
          ["asked at", intent.requestedAt],
          ["idempotency key", intent.idempotencyKey],
        ],
        blobs: [
          documentBlob("parameters", parameters, new TextEncoder().encode(JSON.stringify(parameters))),
          ...attestations.flatMap((digest, at) => materialBlob(evidence, `attestation ${at}`, digest, "attestation")),
        ],
      };
    },
  ),
  policy_evaluated: teller(
    "policy_evaluated",
    ["decision", "Policy", "policy-author", "policy", "grants"],
    (evidence, { decision }) => ({
      summary: decision.verdict.replaceAll("_", " "),
      rows: [
        ["verdict", decision.verdict],
        ["rule", decision.ruleIds.join(", ")],
        ["rationale", decision.rationale],
        ["policy", shortDigest(decision.policyDigest)],
      ],
      blobs: ruleBlobs(evidence, decision),
    }),
  ),
  safety_evaluated: teller("safety_evaluated", ["decision", "Safety gate", "safety"], (evidence, { verdict }) => ({
    summary: verdict.verdict.replaceAll("_", " "),
    rows: [
      ["verdict", verdict.verdict],
      ["rule", verdict.ruleIds.join(", ")],
      ["rationale", verdict.rationale],
      ["rules off", verdict.rulesOff.join(", ") || "none"],
    ],
    blobs: shown("signals", () => evidence.document(verdict.stateDigest, "safety_snapshot", safetySnapshotSchema)),
  })),
  verdict_resolved: teller("verdict_resolved", ["decision", "Verdict", "verdict"], (_, { final }) => ({
    summary: final.verdict.replaceAll("_", " "),
    rows: [
      ["verdict", final.verdict],
      ["rules", final.ruleIds.join(", ")],
    ],
  })),
  approval_requested: teller(
    "approval_requested",
    ["approval", "Approval asked for", "approvals"],
    (evidence, { request, requestDigest }) => ({
      summary: `${request.threshold} of ${request.roster.length}`,
      rows: [
        ["needed", `${request.threshold} of ${request.roster.length}`],
        ["who may decide", request.roster.map(({ id, roles }) => `${id} (${roles.join(", ")})`).join("; ")],
        ["asked at", request.requestedAt],
        ...(request.notBefore === undefined ? [] : [["not before", request.notBefore] as const]),
        ["expires at", request.expiresAt],
      ],
      blobs: [
        ...shown("what approvers were shown", () => evidence.document(request.previewDigest, "preview", previewSchema)),
        ...shown("the request", () => evidence.document(requestDigest, "approval_request", approvalRequestSchema)),
      ],
    }),
  ),
  approval_granted: teller("approval_granted", ["approval", "Approved", "approvals"], (evidence, granted) => ({
    summary: granted.approver,
    rows: [["by", granted.approver], ...grantRows(evidence, granted.envelopeDigest)],
  })),
  approval_denied: teller("approval_denied", ["approval", "Approval denied", "approvals"], (evidence, denied) => ({
    summary: denied.approver,
    rows: [["by", denied.approver], ["reason", denied.reason], ...grantRows(evidence, denied.envelopeDigest)],
  })),
  approval_expired: teller("approval_expired", ["approval", "Approval expired", "approvals"], (_, expired) => ({
    rows: [["expired at", expired.expiresAt]],
  })),
  execution_started: teller(
    "execution_started",
    ["start", "Plugin started", "plugin", "publisher", "grants"],
    (evidence, started) => ({
      fuel: 0,
      rows: [
        ["plugin", shortDigest(started.pluginDigest)],
        ["kill switch epoch", String(started.killSwitchEpoch)],
        ["approval spent", started.spent === null ? "none" : shortDigest(started.spent)],
      ],
      blobs: [
        ...materialBlob(evidence, "input", started.inputDigest, "input"),
        ...shown("grants and limits", () => evidence.document(started.grantsDigest, "grants", grantsSchema)),
      ],
    }),
  ),
  execution_completed: teller("execution_completed", ["end", "Completed", "execution"], (evidence, { execution }) =>
    ended(evidence, execution),
  ),
  execution_failed: teller("execution_failed", ["end", "Failed", "execution"], (evidence, { execution, reason }) => {
    const told = ended(evidence, execution);
    return { ...told, rows: [...reasonRows(reason), ...(told.rows ?? [])] };
  }),
  intent_denied: teller("intent_denied", ["end", "Denied", "verdict"], (_, { reason }) => ({
    summary: reason.code,
    rows: reasonRows(reason),
  })),
  execution_in_doubt: teller("execution_in_doubt", ["end", "In doubt", "execution", "resolution"], (_, doubt) => ({
    summary: doubt.cause,
    rows: [
      ["cause", doubt.cause],
      ["writes begun", String(doubt.effects.length)],
    ],
  })),
  execution_resolved: teller("execution_resolved", ["end", "Doubt resolved", "resolution"], (_, resolved) => ({
    summary: resolved.outcome.replaceAll("_", " "),
    rows: [
      ["found", resolved.outcome],
      ["by", resolved.resolver],
    ],
  })),
};

function ruleBlobs(evidence: Evidence, decision: EventPayload<"policy_evaluated">["decision"]): readonly Blob[] {
  return shown("the rule", () => {
    const policy = evidence.document(decision.policyDigest, "policy", anyPolicySchema);
    if (isCedar(policy)) return policy.policies;
    const rules = policy.rules.filter(({ id }) => decision.ruleIds.includes(id));
    return rules.length === 0 ? "default: nothing matched, so it is denied" : rules;
  });
}

function reasonRows({ code, message, ruleIds }: Reason): Row[] {
  return [
    ["reason", code],
    ["in words", message],
    ["rules", ruleIds.join(", ") || "none"],
  ];
}

function grantRows(evidence: Evidence, digest: EventPayload<"approval_granted">["envelopeDigest"]): readonly Row[] {
  const grant = part(() => {
    const envelope = parseEnvelope(evidence.content(digest, "approval_grant"));
    const bytes = envelope.ok ? decodeBase64(envelope.value.payload) : undefined;
    if (bytes === undefined) throw new Error("the decision's envelope cannot be read");
    return parseDocument(approvalGrantSchema, bytes, "approval_grant");
  });
  if (typeof grant === "string") return [["cannot be shown", grant]];
  return [
    ["decision", grant.decision],
    ...(grant.reason === undefined ? [] : [["words", grant.reason] as const]),
    ["signed at", grant.signedAt],
    ["key", grant.approver.keyId],
    ["signed over", shortDigest(grant.requestDigest)],
  ];
}

function ended(evidence: Evidence, execution: ExecutionRecord): StepPart {
  const { fuel, memoryPeakPages, transcript, error, outputDigest } = execution;
  return {
    summary: execution.status.replaceAll("_", " "),
    fuel: fuel.used,
    rows: [
      ["status", execution.status],
      ...(error === undefined ? [] : [["error", `${error.code} ${error.message ?? ""}`.trim()] as const]),
      ["fuel", `${formatCount(fuel.used)} of ${formatCount(fuel.limit)}`],
      ["peak of memory", `${formatPages(memoryPeakPages)} of 64 KiB`],
      ["host calls", formatCount(transcript.size)],
    ],
    blobs: outputDigest === undefined ? [] : materialBlob(evidence, "output", outputDigest, "output"),
  };
}

/** A document as one blob, or none when it is not in the file. */
function shown(label: string, read: () => unknown): readonly Blob[] {
  const value = part(() => ({ document: read() }));
  if (typeof value === "string") return [];
  return [documentBlob(label, value.document, new TextEncoder().encode(JSON.stringify(value.document)))];
}
