import type { z } from "zod";
import { type Digest, digestOf } from "../canonical/digest.js";
import { parseTime } from "../canonical/time.js";
import { type CallDisclosure, callDisclosureSchema } from "../contracts/call-disclosure.js";
import { type EventHeader, eventHeaderSchema, eventPayloads } from "../contracts/event.js";
import { type ExecutionRecord, type HostCall, hostCallSchema } from "../contracts/execution.js";
import { unsalt } from "../contracts/material.js";
import type { Trust } from "../contracts/trust.js";
import { decodeBase64, decodeBase64Url, encodeUtf8, equalBytes } from "../crypto/encoding.js";
import { readCheckpoint } from "../log/checkpoint.js";
import type { ProofFile } from "../log/proof-file.js";
import { isTranscriptEntry } from "../log/transcript.js";
import { checkAssurances } from "./check-answers.js";
import { checkLeaf, checkNote, countWitnesses, readProof, trustedVkeys } from "./check-log.js";
import { parseDocument } from "./evidence.js";
import { expect, fail, makeReport, notApplicable, type VerificationReport } from "./report.js";
import { runCheck, type VerifyOptions } from "./verify-bundle.js";

/** Outcome of verifying one disclosed call. `call` is the entry; null when the file is no disclosure. */
export type CallReport = VerificationReport & { readonly call: HostCall | null };

/**
 * Does a file say that it is a disclosed call? Canonical members are sorted, so its schema is its last one, and nothing
 * has to be parsed to see it.
 */
export function isCallDisclosure(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(-ending.length), ending);
}

const ending = encodeUtf8('"schema":"exoarmur.call-disclosure/v1"}');

/** Payloads of the events that record an execution. */
const executionPayloads = new Map<string, z.ZodType<{ readonly execution: ExecutionRecord | null }>>([
  ["execution_completed", eventPayloads.execution_completed],
  ["execution_failed", eventPayloads.execution_failed],
  ["execution_in_doubt", eventPayloads.execution_in_doubt],
]);

const noTrust = "No trust file was given: nothing here shows whose record this is. Anybody could have made it.";

const always = [
  "A pass proves that the runtime recorded this call: not that the outside world gave this answer, nor that the run is what its plugin does, which takes the bundle and its replay.",
] as const;

const longestRunMs = 600_000;

/** A disclosure whose members were decoded and parsed; nothing about them is believed yet. */
type Disclosed = {
  readonly call: HostCall;
  readonly callDigest: Digest;
  readonly path: readonly Uint8Array[];
  readonly header: EventHeader;
  readonly headerDigest: Digest;
  readonly payload: Uint8Array;
  readonly proof: ProofFile;
};

/**
 * Verifies a disclosed call offline (spec/verification.md, One call): that this entry, in this place, is part of the
 * transcript of a recorded execution, and that the record is in a log. Pure; never throws for anything the bytes hold.
 *
 * @param bytes the exact bytes of an `exoarmur.call-disclosure/v1` document
 */
export function verifyCall(bytes: Uint8Array, options: VerifyOptions = {}): CallReport {
  const trust = options.trust ?? null;
  const trustMode = trust === null ? "self_check_only" : "pinned";
  const limits = trust === null ? [noTrust, ...always] : always;
  const opened: { disclosed?: Disclosed } = {};
  const format = runCheck("format", "disclosure is well formed", () => {
    opened.disclosed = open(parseDocument(callDisclosureSchema, bytes, "disclosure"));
    return `${bytes.length} bytes`;
  });
  const { disclosed } = opened;
  if (disclosed === undefined) {
    const none = { trustMode, bundleDigest: null, intentId: null, correlationId: null } as const;
    return { ...makeReport(none, [format], { limits }), call: null };
  }
  const { call, header, proof } = disclosed;
  const checks = [
    format,
    runCheck("call", "call is whole", () => checkCall(call)),
    runCheck("payload", "event payload", () => checkPayload(disclosed)),
    runCheck("transcript", "call is in the transcript", () => checkEntry(disclosed)),
    runCheck("answers", "host answers", () => checkAnswer(disclosed, trust)),
    runCheck("inclusion", "log inclusion", () => checkLeaf(proof, "event", disclosed.headerDigest, "the event")),
    runCheck("checkpoint", "checkpoint signature", () =>
      trust === null
        ? notApplicable("no trust file: nothing shows whose log this is")
        : checkNote(proof.checkpoint, trustedVkeys(trust, readCheckpoint(proof.checkpoint).origin)),
    ),
    runCheck("witnesses", "witness quorum", () => countWitnesses(trust, () => proof.checkpoint)),
  ];
  const { intentId, correlationId } = header;
  return { ...makeReport({ trustMode, bundleDigest: null, intentId, correlationId }, checks, { limits }), call };
}

function open(document: CallDisclosure): Disclosed {
  const material = bytesOf(document.call, "call");
  const header = bytesOf(document.event, "event");
  return {
    call: parseDocument(hostCallSchema, contentOf(material, "call"), "call"),
    callDigest: digestOf(material),
    path: document.path.map((hash) => bytesOf(hash, "path")),
    header: parseDocument(eventHeaderSchema, header, "event"),
    headerDigest: digestOf(header),
    payload: bytesOf(document.payload, "payload"),
    proof: readProof(document.logProof),
  };
}

function bytesOf(text: string, what: string): Uint8Array {
  return decodeBase64(text) ?? fail("EXO_SCHEMA", `${what} is not standard padded base64`);
}

function contentOf(material: Uint8Array, what: string): Uint8Array {
  return unsalt(material) ?? fail("EXO_MATERIAL_DIGEST", `${what} is too short to hold a salt`);
}

function checkCall(call: HostCall): string {
  for (const part of ["request", "response"] as const) {
    const bytes = decodeBase64Url(call[part]);
    const same = bytes !== undefined && digestOf(bytes) === call[`${part}Digest`];
    expect(same, "EXO_CHECK_FAILED", `the ${part} has another digest`);
  }
  const { assurance } = call;
  const by = typeof assurance === "string" ? assurance : Object.keys(assurance)[0];
  return `call ${call.seq} ${call.capability}: ${call.outcome}, ${by}`;
}

function checkPayload({ header, payload }: Disclosed): string {
  expect(digestOf(payload) === header.payloadDigest, "EXO_MATERIAL_DIGEST", "the payload has another digest");
  return `${header.eventType} of ${header.recordedAt}`;
}

function checkEntry(disclosed: Disclosed): string {
  const { call, callDigest, path } = disclosed;
  const { transcript, plugin, function: name } = executionOf(disclosed);
  expect(
    isTranscriptEntry(callDigest, call.seq, transcript, path),
    "EXO_CHECK_FAILED",
    `the call is not entry ${call.seq} of the transcript of ${transcript.size}`,
  );
  return `entry ${call.seq} of ${transcript.size}, function ${name} of ${plugin.digest}`;
}

/** The answer's assurance; a counterparty's signature is verified again (spec/capabilities.md, Assurance). */
function checkAnswer({ call, header, proof }: Disclosed, trust: Trust | null): string {
  const until = parseTime(header.recordedAt);
  return checkAssurances([call], {
    trust,
    ours: new Set(),
    index: proof.index,
    tenantId: header.tenantId,
    // When the call was made is not disclosed; no run lasts longer than its guard may be set.
    timesOf: () => ({ from: until - longestRunMs, until }),
  });
}

function executionOf({ header, payload }: Disclosed): ExecutionRecord {
  const schema = executionPayloads.get(header.eventType);
  const execution =
    schema === undefined ? null : parseDocument(schema, contentOf(payload, "payload"), "payload").execution;
  return execution ?? fail("EXO_CHECK_FAILED", `the ${header.eventType} records no execution`);
}
