import { digestOf } from "../canonical/digest.js";
import { parseTime } from "../canonical/time.js";
import { materialRoles } from "../contracts/bundle.js";
import { openEnvelope, payloadTypes } from "../contracts/dsse.js";
import { eventPayloads, terminalEventTypes } from "../contracts/event.js";
import { targetOf } from "../contracts/invocation.js";
import { advance, endStates, type IntentState } from "../contracts/lifecycle.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { p256KeyLength } from "../crypto/p256.js";
import type { Evidence } from "./evidence.js";
import type { KeySource } from "./keys.js";
import { expect, fail, notApplicable, unable } from "./report.js";
import { unknownRevision } from "./revisions.js";

/** One signature over the statement, by a key of the runtime role; the keys it lists have the ids it gives them. */
export function checkSignature(evidence: Evidence, keys: KeySource): string {
  const { envelope } = evidence.bundle;
  expect(envelope.signatures.length === 1, "EXO_ENVELOPE", `expected one signature, got ${envelope.signatures.length}`);
  const runtimeKeys = keys.keysFor("runtime").map((key) => key.publicKey);
  const opened = openEnvelope(envelope, payloadTypes.statement, runtimeKeys);
  if (!opened.ok) return fail(opened.error.code, opened.error.message);
  for (const { role, keyId, publicKey, passkey } of evidence.predicate.keys) {
    const raw = decodeBase64(publicKey);
    const length = passkey === undefined ? 32 : p256KeyLength;
    expect(raw?.length === length && keyIdOf(raw) === keyId, "EXO_KEY", `the key listed as ${keyId} has another id`);
    expect(passkey === undefined || role === "approver", "EXO_KEY", `the passkey ${keyId} is listed as a ${role}'s`);
  }
  return `runtime key ${opened.value.signers[0]?.keyId ?? ""}`;
}

/** Every revision the bundle depends on is one this build can re-run. */
export function checkRevisions(evidence: Evidence): string {
  const unknown = unknownRevision(evidence.predicate.revisions);
  if (unknown !== undefined) unable("EXO_REVISION", unknown);
  return "all known";
}

/** The materials are exactly those the statement names, each with its digest; absent ones make the check unable. */
export function checkMaterials(evidence: Evidence): string {
  const named = new Set<string>(evidence.predicate.materials.map((entry) => entry.digest));
  for (const { role, digest, salted } of evidence.predicate.materials) {
    expect(salted === materialRoles[role].salted, "EXO_MATERIAL_SET", `${role} ${digest} is marked salted: ${salted}`);
  }
  const listed = evidence.predicate.materials.map((entry) => `${entry.role} ${entry.digest}`);
  expect(new Set(listed).size === listed.length, "EXO_MATERIAL_SET", "the statement names a material twice");
  let missing = 0;
  for (const [digest, bytes] of evidence.materials) {
    expect(named.has(digest), "EXO_MATERIAL_SET", `material ${digest} is not named by the statement`);
    expect(digestOf(bytes) === digest, "EXO_MATERIAL_DIGEST", `material ${digest} has other bytes`);
  }
  for (const digest of named) if (!evidence.materials.has(digest)) missing += 1;
  if (missing > 0) unable("EXO_MATERIAL_MISSING", `${missing} of ${named.size} materials are not in the bundle`);
  return `${named.size} materials`;
}

/** The statement's subjects and identifiers are those of the intent, and its target is the one the executor acts on. */
export function checkIntent(evidence: Evidence): string {
  const { predicate, statement } = evidence;
  const digest = evidence.only("intent");
  const intent = evidence.intent();
  expect(statement.subject[0]?.name === "intent", "EXO_CHECK_FAILED", "subject 0 is not the intent");
  expect(`sha256:${statement.subject[0]?.digest.sha256}` === digest, "EXO_CHECK_FAILED", "subject 0 is another intent");
  // An intent for another cell is refused here, and its record says so: only then may the cells differ.
  const judged = predicate.events.some((event) => event.eventType === "policy_evaluated");
  const shared = ["intentId", "correlationId", "tenantId", ...(judged ? (["cellId"] as const) : [])] as const;
  for (const name of shared) {
    expect(intent[name] === predicate[name], "EXO_CHECK_FAILED", `the statement's ${name} is not the intent's`);
  }
  expect(evidence.digestsOf("output").length <= 1, "EXO_MATERIAL_SET", "the statement names two outputs");
  const output = evidence.digestsOf("output")[0];
  const subject = statement.subject[1];
  expect(
    output === undefined
      ? subject === undefined
      : subject?.name === "output" && `sha256:${subject.digest.sha256}` === output,
    "EXO_CHECK_FAILED",
    "subject 1 is not the output",
  );
  for (const { payload } of evidence.eventsOf("intent_received")) {
    expect(payload.intentDigest === digest, "EXO_CHECK_FAILED", "intent_received names another intent");
  }
  return `${intent.action} by ${intent.actor.id}`;
}

/** Whatever was judged was judged on the value the executor acts on. */
export function checkTarget(evidence: Evidence): string {
  evidence.started();
  const { fn, intent } = evidence.invocation();
  const target = targetOf(fn, intent.parameters);
  expect(target.ok, "EXO_TARGET_MISMATCH", target.ok ? "" : target.error.message);
  if (target.value === undefined) return notApplicable("the function names no target");
  expect(
    intent.target === target.value,
    "EXO_TARGET_MISMATCH",
    `the intent's target is not the value at parameters${fn.target ?? ""}`,
  );
  return `parameters${fn.target ?? ""} = ${target.value}`;
}

/** The intent's events walk the lifecycle, once, to exactly one end, in order of time and sequence. */
export function checkEvents(evidence: Evidence): string {
  const { predicate } = evidence;
  const events = evidence.events();
  let state: IntentState | "none" = "none";
  let sequence = -1;
  let time = 0;
  let previous: string | null = null;
  for (const { header, digest } of events) {
    if (!Object.hasOwn(eventPayloads, header.eventType)) {
      unable("EXO_REVISION", `event type ${header.eventType} is not known to this build`);
    }
    const next: IntentState | undefined = advance(state, header.eventType);
    expect(next !== undefined, "EXO_CHECK_FAILED", `${header.eventType} cannot follow the state ${state}`);
    state = next;
    for (const name of ["intentId", "correlationId", "tenantId", "cellId"] as const) {
      expect(header[name] === predicate[name], "EXO_CHECK_FAILED", `event ${header.sequence} has another ${name}`);
    }
    expect(header.sequence > sequence, "EXO_CHECK_FAILED", `event ${header.sequence} is out of sequence`);
    // Other intents of the correlation may sit between two events; neighbours must be linked.
    if (header.sequence === sequence + 1 && sequence >= 0) {
      expect(
        header.previous === previous,
        "EXO_CHECK_FAILED",
        `event ${header.sequence} does not link to the one before`,
      );
    }
    expect(
      (header.sequence === 0) === (header.previous === null),
      "EXO_CHECK_FAILED",
      "only event 0 has no previous event",
    );
    const recordedAt = parseTime(header.recordedAt);
    expect(recordedAt >= time, "EXO_CHECK_FAILED", `event ${header.sequence} is recorded before an earlier one`);
    [sequence, time, previous] = [header.sequence, recordedAt, digest];
  }
  const ends = events.filter((event) => terminalEventTypes.has(event.header.eventType)).length;
  expect(
    ends === 1 && state !== "none" && endStates.has(state),
    "EXO_CHECK_FAILED",
    `the events end in the state ${state}`,
  );
  return `${events.length} events, ends ${state}`;
}

/** Every event's payload has the digest its header names and the shape of its type. */
export function checkPayloads(evidence: Evidence): string {
  const events = evidence.events();
  for (const event of events) {
    const type = event.header.eventType;
    if (!Object.hasOwn(eventPayloads, type)) unable("EXO_REVISION", `event type ${type} is not known to this build`);
    evidence.payloadOf(event, type as keyof typeof eventPayloads);
  }
  return `${events.length} payloads`;
}
