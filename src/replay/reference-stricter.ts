import type { StricterFinding } from "../contracts/reference-event.js";
import { readReferenceIntent } from "./reference-intent.js";
import { compareCodePoints, isObject, isRounded, referenceHash } from "./reference-json.js";
import type { ReferenceEvent } from "./reference-read.js";
import { eventText, executedIntent, refOf } from "./reference-types.js";

/** What ours sees in one correlation and the reference does not (spec/reference-replay.md, Where ours is stricter). */
export function stricterFindings(events: readonly ReferenceEvent[]): StricterFinding[] {
  const different = distinct(events);
  return [
    ...blankHashes(different),
    ...conflicts(different),
    ...sequence(different),
    ...tenants(different),
    ...rounded(different),
    ...bindings(different),
  ];
}

/** Exact repeats once; the reference itself warns of them. */
function distinct(events: readonly ReferenceEvent[]): ReferenceEvent[] {
  return [...new Map(events.map((event) => [eventText(event), event])).values()];
}

function blankHashes(events: readonly ReferenceEvent[]): StricterFinding[] {
  return events
    .filter((event) => event.payload_hash === "")
    .map(({ event_id }) => failure("blank_hash", event_id, `event ${event_id} has no payload hash`));
}

function conflicts(events: readonly ReferenceEvent[]): StricterFinding[] {
  const times = new Map<string, number>();
  for (const { event_id } of events) times.set(event_id, (times.get(event_id) ?? 0) + 1);
  return [...times]
    .filter(([, count]) => count > 1)
    .map(([id, count]) => failure("conflicting_ids", id, `${count} different events have the id ${id}`));
}

/** Numbers, where events have them, count from 0 without a gap; what has none is not missed. */
function sequence(events: readonly ReferenceEvent[]): StricterFinding[] {
  const numbers = events.flatMap(({ sequence_number }) =>
    typeof sequence_number === "number" ? [sequence_number] : [],
  );
  const sorted = numbers.sort((a, b) => a - b);
  const at = sorted.findIndex((number, index) => number !== index);
  if (at < 0) return [];
  return [failure("sequence", null, `expected sequence number ${at}, came ${sorted[at]}`)];
}

function tenants(events: readonly ReferenceEvent[]): StricterFinding[] {
  const names = [...new Set(events.map(({ tenant_id }) => tenant_id ?? ""))].sort(compareCodePoints);
  if (names.length < 2) return [];
  return [
    failure(
      "tenants",
      null,
      `events of ${names.length} tenants: ${names.map((name) => JSON.stringify(name)).join(", ")}`,
    ),
  ];
}

function rounded(events: readonly ReferenceEvent[]): StricterFinding[] {
  return events
    .filter(({ payload }) => isRounded(payload))
    .map(({ event_id }) => {
      const message = `the hash of event ${event_id} covers twelve decimals of a number that has more`;
      return partial("rounded_number", event_id, message);
    });
}

/** An approval is bound to an intent's hash: the intent that was executed under it must have that one. */
function bindings(events: readonly ReferenceEvent[]): StricterFinding[] {
  const hashes = new Map<string, string>();
  for (const event of events) {
    if (event.event_type !== "intent_executed") continue;
    const read = readReferenceIntent(executedIntent(event.payload));
    const safety = read.ok ? read.value["safety_context"] : undefined;
    const approval = isObject(safety) ? safety["human_approval_id"] : undefined;
    if (read.ok && typeof approval === "string") hashes.set(approval, referenceHash(read.value));
  }
  return events
    .filter(({ event_type }) => event_type === "approval_bound_to_intent")
    .flatMap(({ event_id, payload }) => {
      const { approval_id, intent_hash } = refOf(payload);
      if (typeof approval_id !== "string") return [];
      const hash = hashes.get(approval_id);
      if (hash === intent_hash) return [];
      if (hash === undefined) {
        const message = `approval ${approval_id} is bound to an intent that these events do not hold`;
        return [partial("binding_unchecked", event_id, message)];
      }
      return [
        failure("binding_mismatch", event_id, `approval ${approval_id} is bound to another intent than was executed`),
      ];
    });
}

const failure = (rule: StricterFinding["rule"], eventId: string | null, message: string): StricterFinding => ({
  rule,
  result: "failure",
  eventId,
  message,
});

const partial = (rule: StricterFinding["rule"], eventId: string | null, message: string): StricterFinding => ({
  rule,
  result: "partial",
  eventId,
  message,
});
