import { digestOf } from "../canonical/digest.js";
import { canonicalize, canonicalText } from "../canonical/jcs.js";
import { formatTime, isTime, parseTime } from "../canonical/time.js";
import { parseContract } from "../contracts/common.js";
import { type CanonicalEvent, eventPayloads, eventSchema, terminalEventTypes } from "../contracts/event.js";
import { advance, type IntentState } from "../contracts/lifecycle.js";
import type { DivergenceKind } from "../contracts/replay-report.js";
import { concatBytes, decodeBase64Url } from "../crypto/encoding.js";
import type { Findings } from "./report.js";

/** Digest of an event: SHA-256 of the canonical header, which is everything but payload and salt. */
export function eventDigestOf(event: CanonicalEvent): string {
  const { payload: _payload, salt: _salt, ...header } = event;
  return digestOf(canonicalize(header));
}

/** Digest of an event's payload: SHA-256 of the salt bytes followed by the canonical payload. */
function payloadDigestOf(event: CanonicalEvent): string {
  return digestOf(concatBytes(decodeBase64Url(event.salt) ?? new Uint8Array(0), canonicalize(event.payload)));
}

/** What a chain's events are read as, in order of sequence, each position once. */
export type Chain = {
  readonly events: readonly CanonicalEvent[];
  readonly intentIds: readonly string[];
  readonly ended: ReadonlySet<string>;
};

type Reporter = (
  kind: DivergenceKind,
  event: CanonicalEvent | null,
  step: string,
  expected: string,
  actual: string,
) => void;

/**
 * Structure level of one chain: payload digests, sequence without gaps, links, event types, the life of every intent.
 * The order in which the events come does not matter. Every event is looked at, whatever the one before it was.
 *
 * @param next number of events the chain is known to have, where a store says so; null when nobody says
 * @throws ExoArmurError EXO_SCHEMA for an input that is no CanonicalEvent
 */
export function replayChain(findings: Findings, inputs: readonly unknown[], next: number | null): Chain {
  const sorted = inputs
    .map((input, index) => parseContract(eventSchema, input, `event ${index}`))
    .map((event) => ({ event, text: canonicalText(event) }))
    .sort((a, b) => a.event.sequence - b.event.sequence || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ event }) => event);
  const before = findings.checks.length;
  const report: Reporter = (kind, event, step, expected, actual) => {
    const intentId = event?.intentId ?? null;
    const message = `${step}: expected ${expected}, came ${actual}`;
    findings.diverge(
      { level: "structure", intentId, id: kind, title: kind, code: "EXO_CHECK_FAILED", message },
      { level: "structure", step, kind, intentId, expected, actual },
    );
  };
  const events = withoutRepeats(findings, sorted, report);
  checkLinks(events, next, report);
  for (const event of events) checkEvent(findings, event, report);
  const chain = checkLives(findings, events, report);
  if (findings.checks.length === before) {
    const message = `${events.length} events, sequence, links and payload digests hold`;
    findings.add({ level: "structure", intentId: null, id: "chain", title: "event chain", state: "pass", message });
  }
  return chain;
}

/** Drops exact repeats with a warning; two different events at one place are a failure. */
function withoutRepeats(findings: Findings, events: readonly CanonicalEvent[], report: Reporter): CanonicalEvent[] {
  const kept: CanonicalEvent[] = [];
  for (const event of events) {
    const last = kept.at(-1);
    if (last?.sequence !== event.sequence) {
      kept.push(event);
      continue;
    }
    if (canonicalText(last) === canonicalText(event)) findings.warnings.push(`event ${event.eventId} is there twice`);
    else
      report(
        "chain_mismatch",
        event,
        `event ${event.sequence}`,
        `one event (${last.eventId})`,
        `another one (${event.eventId})`,
      );
  }
  return kept;
}

function checkLinks(events: readonly CanonicalEvent[], next: number | null, report: Reporter): void {
  let expected = 0;
  let previous: string | null = null;
  let time = 0;
  const ids = new Set<string>();
  for (const event of events) {
    const step = `event ${event.sequence}`;
    if (event.sequence !== expected) {
      report("sequence_gap", event, step, `sequence ${expected}`, `sequence ${event.sequence}`);
    } else if (event.previous !== previous) {
      report("chain_mismatch", event, step, `previous ${previous ?? "null"}`, `previous ${event.previous ?? "null"}`);
    }
    const [first] = events;
    if (
      first?.tenantId !== event.tenantId ||
      first.correlationId !== event.correlationId ||
      first.cellId !== event.cellId
    ) {
      report("chain_mismatch", event, step, "an event of this chain", "one of another cell, tenant or correlation");
    }
    const recordedAt = isTime(event.recordedAt) ? parseTime(event.recordedAt) : Number.NaN;
    if (recordedAt >= time) time = recordedAt;
    else report("chain_mismatch", event, step, `a time from ${formatTime(time)} on`, event.recordedAt);
    if (ids.has(event.eventId)) report("chain_mismatch", event, step, "an event id of its own", event.eventId);
    ids.add(event.eventId);
    expected = event.sequence + 1;
    previous = eventDigestOf(event);
  }
  if (next !== null && expected !== next)
    report("missing_events", null, "end of the chain", `${next} events`, `${expected}`);
}

function checkEvent(findings: Findings, event: CanonicalEvent, report: Reporter): void {
  const step = `event ${event.sequence} (${event.eventType})`;
  const actual = payloadDigestOf(event);
  if (actual !== event.payloadDigest) report("payload_hash_mismatch", event, step, event.payloadDigest, actual);
  if (!Object.hasOwn(eventPayloads, event.eventType)) {
    findings.warnings.push(`event ${event.eventId} has the unknown type ${event.eventType}`);
    return;
  }
  const parsed = eventPayloads[event.eventType as keyof typeof eventPayloads].safeParse(event.payload);
  if (!parsed.success) {
    report(
      "schema_version_mismatch",
      event,
      step,
      `a ${event.eventType} payload`,
      parsed.error.issues[0]?.message ?? "another shape",
    );
  }
}

function checkLives(findings: Findings, events: readonly CanonicalEvent[], report: Reporter): Chain {
  const states = new Map<string, IntentState | "none">();
  const ended = new Set<string>();
  for (const event of events) {
    if (event.intentId === null || !Object.hasOwn(eventPayloads, event.eventType)) continue;
    const state = states.get(event.intentId) ?? "none";
    const next = advance(state, event.eventType);
    if (next === undefined) {
      report(
        "lifecycle_mismatch",
        event,
        `event ${event.sequence}`,
        `an event that can follow ${state}`,
        event.eventType,
      );
      continue;
    }
    states.set(event.intentId, next);
    if (terminalEventTypes.has(event.eventType)) ended.add(event.intentId);
  }
  for (const [intentId, state] of states) {
    if (!ended.has(intentId)) findings.warnings.push(`intent ${intentId} has not ended; its state is ${state}`);
  }
  return { events, intentIds: [...states.keys()], ended };
}
