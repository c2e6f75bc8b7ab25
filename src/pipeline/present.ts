import { parseCanonical } from "../canonical/read.js";
import { approvalRequestSchema } from "../contracts/approval.js";
import { parseContract } from "../contracts/common.js";
import { type EventPayload, type EventType, eventPayloads } from "../contracts/event.js";
import { manifestSchema } from "../contracts/manifest.js";
import { saltBytes, unsalt } from "../contracts/material.js";
import { ExoArmurError } from "../errors.js";
import type { Ledger } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";
import { storedBundle } from "./finish.js";
import { IntentWork } from "./intent-work.js";
import { readOutput } from "./outcome.js";
import { unpackEvent } from "./recorder.js";
import { blobKey, eventKeys } from "./store-keys.js";
import type { ExecutionResult, PipelinePorts } from "./types.js";
import type { z } from "zod";

/** The present state of an intent, read from the store alone. EXO_INTENT_UNKNOWN, EXO_STORE_DAMAGED. */
export function presentResult(reader: StoreReader, ledger: Ledger, intentId: string, ports: PipelinePorts): ExecutionResult {
  const work = IntentWork.load(reader, intentId, ports);
  const { record } = work;
  const judged = {
    intentId,
    correlationId: record.correlationId,
    decision: lastPayload(reader, work, "policy_evaluated")?.decision ?? null,
    safety: lastPayload(reader, work, "safety_evaluated")?.verdict ?? null,
  };
  const reason = record.reason ?? { code: "EXO_INTERNAL", message: "", ruleIds: [], approvalCouldHelp: false, retrySafe: false };
  const { execution } = record;
  switch (record.state) {
    case "completed":
      if (execution === null) break;
      return {
        ...judged,
        status: "executed",
        output: outputOf(reader, work) ?? null,
        fuel: execution.fuel,
        hostCalls: execution.transcript.size,
        bundle: storedBundle(reader, ledger, work),
      };
    case "failed":
      if (execution === null) break;
      return { ...judged, status: "failed", reason, execution, bundle: storedBundle(reader, ledger, work) };
    case "denied":
      return { ...judged, status: "denied", reason, bundle: storedBundle(reader, ledger, work) };
    case "pending":
      return { ...judged, status: "approval_pending", approval: requestOf(reader, work) };
    case "in_doubt":
    case "resolved":
      return { ...judged, status: "in_doubt", reason };
    case "started":
      return { ...judged, status: "running" };
    default:
      break;
  }
  throw new ExoArmurError("EXO_STORE_DAMAGED", `intent ${intentId} rests in the state ${record.state}`);
}

/** The bundle of an ended intent, or undefined while it has none. */
export function presentBundle(reader: StoreReader, ledger: Ledger, intentId: string, ports: PipelinePorts): ReturnType<typeof storedBundle> | undefined {
  const work = IntentWork.load(reader, intentId, ports);
  const ended = ["completed", "failed", "denied", "resolved"].includes(work.record.state);
  return ended ? storedBundle(reader, ledger, work) : undefined;
}

function lastPayload<T extends EventType>(reader: StoreReader, { record }: IntentWork, type: T): EventPayload<T> | undefined {
  const found = record.events.findLast((event) => event.eventType === type);
  if (found === undefined) return undefined;
  const packed = reader.get(eventKeys.one(record.tenantId, record.correlationId, found.sequence));
  if (packed === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `event ${found.digest} is missing`);
  const payload = parseCanonical(unpackEvent(packed).payload.slice(saltBytes));
  return parseContract(eventPayloads[type] as unknown as z.ZodType<EventPayload<T>>, payload, "stored event");
}

function contentOf(reader: StoreReader, { record }: IntentWork, role: string): Uint8Array {
  const digest = record.materials.findLast((material) => material.role === role)?.digest;
  const bytes = digest === undefined ? undefined : reader.get(blobKey(digest));
  if (bytes === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `intent ${record.intentId} has no ${role}`);
  return bytes;
}

function outputOf(reader: StoreReader, work: IntentWork): ReturnType<typeof readOutput> {
  const manifest = parseContract(manifestSchema, parseCanonical(contentOf(reader, work, "manifest")), "stored manifest");
  const fn = manifest.functions.find((entry) => entry.name === work.intent.executor?.function);
  const bytes = unsalt(contentOf(reader, work, "output"));
  return fn === undefined || bytes === undefined ? undefined : readOutput(fn.output, bytes);
}

function requestOf(reader: StoreReader, work: IntentWork): z.infer<typeof approvalRequestSchema> {
  return parseContract(approvalRequestSchema, parseCanonical(contentOf(reader, work, "approval_request")), "stored approval request");
}
