import type { ReferenceReport } from "../contracts/reference-event.js";
import { readReferenceIntent } from "./reference-intent.js";
import {
  isObject,
  NumberLiteral,
  parseReference,
  type ReferenceJson,
  type ReferenceObject,
  referenceText,
} from "./reference-json.js";
import { plain, type ReferenceEvent } from "./reference-read.js";

/** What handlers write into: the reference's report, its lists open. */
export type OpenReport = { -readonly [K in keyof ReferenceReport]: ReferenceReport[K] };

type Handler = (ref: ReferenceObject, event: ReferenceEvent, report: OpenReport) => void;

/** An event type: what its payload misses when it is empty, and what is asked of one that is not. */
type TypeRow = { readonly empty: string; readonly handle: Handler };

/** The order of the reference's types; every other one comes after them, in one rank. */
const order = [
  "TELEMETRY_INGESTED",
  "SAFETY_GATE_EVALUATED",
  "APPROVAL_REQUESTED",
  "APPROVAL_BOUND_TO_INTENT",
  "INTENT_DENIED",
  "INTENT_EXECUTED",
  "APPROVAL_APPROVED",
  "APPROVAL_DENIED",
  "BELIEF_CREATION_STARTED",
  "BELIEF_CREATED",
];

/** The rank of an event type, 1 to 10, and 999 for any other. Case does not count here, as it does for the handlers. */
export function priorityOf(eventType: string): number {
  return order.indexOf(eventType.toUpperCase()) + 1 || 999;
}

/** Adds a failure, as the reference counts them: by message, not by event. */
export function addFailure(report: OpenReport, message: string): void {
  report.failures.push(message);
  report.result = "failure";
  report.failed_events += 1;
}

/** Adds a warning: a success becomes partial. */
export function addWarning(report: OpenReport, message: string): void {
  report.warnings.push(message);
  if (report.result === "success") report.result = "partial";
}

/** Must have a member that is not blank. */
const needs =
  (member: string, message: string): Handler =>
  (ref, _event, report) => {
    if (isBlank(ref[member])) addFailure(report, message);
  };

/** The types the reference handles (spec/reference-replay.md, Events). */
const types: Readonly<Record<string, TypeRow>> = {
  telemetry_ingested: {
    empty: "Telemetry payload missing reference data",
    handle: (ref, _event, report) => {
      const missing = ["event_id", "correlation_id", "trace_id"].find((name) => !Object.hasOwn(ref, name));
      if (missing !== undefined) addFailure(report, `Telemetry missing required field: ${missing}`);
    },
  },
  belief_creation_started: {
    empty: "Belief creation start payload missing data",
    handle: (ref, _event, report) => {
      if (!Object.hasOwn(ref, "event_id")) addFailure(report, "Belief creation start missing event_id");
    },
  },
  belief_created: {
    empty: "Belief creation payload missing data",
    handle: needs("belief_id", "Belief creation missing belief_id"),
  },
  intent_created: {
    empty: "Intent creation payload missing data",
    handle: needs("intent_id", "Intent creation missing intent_id"),
  },
  safety_gate_evaluated: {
    empty: "Safety gate payload missing verdict data",
    handle: (ref, event, report) => {
      const verdict = ref["verdict"];
      if (verdict === undefined || isBlank(verdict)) addFailure(report, "Safety gate verdict missing");
      else define(report.safety_gate_verdicts, event.event_id, plain(verdict));
    },
  },
  approval_requested: {
    empty: "Approval request payload missing data",
    handle: needs("approval_id", "Approval request missing approval_id"),
  },
  approval_denied: {
    empty: "Approval denial payload missing data",
    handle: needs("approval_id", "Approval denial missing approval_id"),
  },
  approval_bound_to_intent: {
    empty: "Intent binding payload missing data",
    handle: (ref, _event, report) => {
      if (isBlank(ref["intent_hash"]) || isBlank(ref["approval_id"])) {
        addFailure(report, "Intent binding missing hash or approval_id");
      } else if (typeof ref["intent_hash"] !== "string") {
        addFailure(report, "Failed to process intent binding: the hash is no text");
      }
    },
  },
  intent_executed: { empty: "Intent execution payload missing data", handle: executed },
  intent_denied: { empty: "Intent denial payload missing data", handle: () => undefined },
};

/** Lets the handler of an event's type look at it; an unknown type is a warning. */
export function processEvent(event: ReferenceEvent, report: OpenReport): void {
  const row = Object.hasOwn(types, event.event_type) ? types[event.event_type] : undefined;
  if (row === undefined) {
    addWarning(report, `Unknown event type: ${event.event_type}`);
    return;
  }
  const ref = refOf(event.payload);
  if (Object.keys(ref).length === 0) addFailure(report, row.empty);
  else row.handle(ref, event, report);
}

/** The intent an `intent_executed` event carries, wrapped or not. */
export function executedIntent(payload: ReferenceObject): ReferenceJson {
  const ref = refOf(payload);
  return Object.hasOwn(ref, "intent") ? (ref["intent"] ?? null) : ref;
}

function executed(_ref: ReferenceObject, event: ReferenceEvent, report: OpenReport): void {
  const intent = executedIntent(event.payload);
  if (isBlank(intent)) {
    addFailure(report, "Intent execution missing intent data");
    return;
  }
  const read = readReferenceIntent(intent);
  if (read.ok) define(report.reconstructed_intents, event.event_id, plain(read.value));
  else addFailure(report, `Failed to reconstruct executed intent: ${read.error}`);
  // The reference goes on with what it could not read, and falls over it.
  if (!isObject(intent)) addFailure(report, "Failed to process intent execution: the intent is no object");
}

/** What a payload carries: its `ref`, inline as an object or as JSON text, or inside `kind` as older records have it. */
export function refOf(payload: ReferenceObject): ReferenceObject {
  const { kind, ref } = payload;
  if (kind === "inline") return typeof ref === "string" ? textRef(ref) : objectOf(ref);
  if (!Object.hasOwn(payload, "kind")) return {};
  return isObject(kind) ? objectOf(kind["ref"]) : objectOf(ref);
}

const objectOf = (value: ReferenceJson | undefined): ReferenceObject => (isObject(value) ? value : {});

function textRef(text: string): ReferenceObject {
  try {
    return objectOf(parseReference(text));
  } catch {
    return {};
  }
}

/** Blank as the reference's language has it: absent, null, false, zero, or empty. */
function isBlank(value: ReferenceJson | undefined): boolean {
  if (value === undefined || value === null || value === false || value === "") return true;
  if (value instanceof NumberLiteral) return Number(value.text) === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Sets a member by any name, `__proto__` too. */
function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** A safety verdict that the reference knows. */
const verdicts: readonly unknown[] = ["allow", "deny", "require_human", "require_quorum"];

/** What the reference looks at when all events are through. */
export function checkFinalState(report: OpenReport): void {
  report.audit_integrity_verified = report.failures.length === 0;
  for (const verdict of Object.values(report.safety_gate_verdicts)) {
    if (verdicts.includes(verdict)) continue;
    addWarning(report, `Unexpected safety verdict: ${typeof verdict === "string" ? verdict : JSON.stringify(verdict)}`);
    report.safety_gate_verified = false;
  }
}

/** A text as the reference's language quotes it, in lists of ids. */
export function quoted(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

/** The whole of an event as text, to tell two of one id apart. */
export function eventText({ payload, ...header }: ReferenceEvent): string {
  return `${JSON.stringify(header, Object.keys(header).sort())}${referenceText(payload)}`;
}
