import type { ReferenceCorrelation, ReferenceReplay, ReferenceReport } from "../contracts/reference-event.js";
import { ExoArmurError } from "../errors.js";
import { compareCodePoints, referenceHash } from "./reference-json.js";
import { type ReferenceEvent, readReferenceEvents } from "./reference-read.js";
import { stricterFindings } from "./reference-stricter.js";
import {
  addFailure,
  addWarning,
  checkFinalState,
  eventText,
  type OpenReport,
  priorityOf,
  processEvent,
  quoted,
} from "./reference-types.js";

type Result = ReferenceReplay["result"];

const severity: readonly Result[] = ["success", "partial", "failure"];
const worst = (results: readonly Result[]): Result =>
  severity[Math.max(0, ...results.map((result) => severity.indexOf(result)))] ?? "failure";

/**
 * Replays CanonicalEvents of ExoArmur-Core by its own rules and by ours beside them (spec/reference-replay.md). Nothing
 * is executed. Replays every correlation in the bytes, or the one that is asked for.
 *
 * @param bytes a JSON array of events, or one event a line
 * @throws ExoArmurError EXO_SCHEMA or EXO_JSON_* for bytes that are no such events, EXO_NO_RECORDS for none at all
 */
export function replayReference(bytes: Uint8Array, correlationId?: string): ReferenceReplay {
  const events = readReferenceEvents(bytes);
  const byId = new Map<string, ReferenceEvent[]>();
  for (const event of events) {
    const others = byId.get(event.correlation_id);
    if (others === undefined) byId.set(event.correlation_id, [event]);
    else others.push(event);
  }
  if (byId.size === 0 && correlationId === undefined) {
    throw new ExoArmurError("EXO_NO_RECORDS", "the file holds no events");
  }
  const ids = correlationId === undefined ? [...byId.keys()].sort(compareCodePoints) : [correlationId];
  const correlations = ids.map((id) => replayOne(id, byId.get(id) ?? []));
  return {
    schema: "exoarmur.reference-replay/v1",
    result: worst(correlations.map(({ result }) => result)),
    correlations,
  };
}

function replayOne(correlationId: string, events: readonly ReferenceEvent[]): ReferenceCorrelation {
  const sorted = inOrder(events);
  const reference = referenceReport(correlationId, sorted);
  const stricter = stricterFindings(sorted);
  const result = worst([reference.result, ...stricter.map((finding) => finding.result)]);
  return { correlationId, result, reference, stricter };
}

/** The report that the reference gives of these events, but that it does not depend on the order they come in. */
function referenceReport(correlationId: string, sorted: readonly ReferenceEvent[]): ReferenceReport {
  const report = emptyReport(correlationId);
  if (sorted.length === 0) {
    addFailure(report, `No audit records found for correlation_id: ${correlationId}`);
    return report;
  }
  const whole = sorted.filter((event) => {
    const holds = event.payload_hash === "" || referenceHash(event.payload) === event.payload_hash;
    if (!holds) addFailure(report, `Payload integrity check failed for event ${event.event_id}`);
    return holds;
  });
  if (whole.length === 0) return report;
  const doubled = repeated(whole.map(({ event_id }) => event_id));
  if (doubled.length > 0) {
    addWarning(report, `Envelope validation issue: Duplicate audit IDs found: [${doubled.map(quoted).join(", ")}]`);
  }
  report.total_events = whole.length;
  for (const event of whole) processEvent(event, report);
  report.processed_events = whole.length;
  checkFinalState(report);
  return report;
}

function emptyReport(correlationId: string): OpenReport {
  return {
    correlation_id: correlationId,
    replay_timestamp: "1970-01-01T00:00:00Z",
    result: "success",
    total_events: 0,
    processed_events: 0,
    failed_events: 0,
    intent_hash_verified: true,
    safety_gate_verified: true,
    audit_integrity_verified: true,
    reconstructed_intents: {},
    reconstructed_decisions: {},
    safety_gate_verdicts: {},
    failures: [],
    warnings: [],
  };
}

/** By rank of type, id and sequence number; what is equal in these by its whole content. */
function inOrder(events: readonly ReferenceEvent[]): ReferenceEvent[] {
  const number = (event: ReferenceEvent): number => event.sequence_number ?? 0;
  return events
    .map((event) => ({ event, rank: priorityOf(event.event_type), text: eventText(event) }))
    .sort(
      (a, b) =>
        a.rank - b.rank ||
        compareCodePoints(a.event.event_id, b.event.event_id) ||
        number(a.event) - number(b.event) ||
        compareCodePoints(a.text, b.text),
    )
    .map(({ event }) => event);
}

/** Values that are there more than once, each once, sorted. */
function repeated(values: readonly string[]): string[] {
  const seen = new Set<string>();
  const found = values.filter((value) => {
    const again = seen.has(value);
    seen.add(value);
    return again;
  });
  return [...new Set(found)].sort(compareCodePoints);
}
