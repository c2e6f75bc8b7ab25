import type { z } from "zod";
import { digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseContract } from "../contracts/common.js";
import {
  type CanonicalEvent,
  type EventPayload,
  type EventType,
  eventPayloads,
  eventSchema,
} from "../contracts/event.js";
import { concatBytes, encodeBase64Url } from "../crypto/encoding.js";

/** What an event says; the rest has a default: sequence 0, no previous event, cell `local`, tenant `default`, no intent. */
export type EventFacts<T extends EventType> = {
  readonly eventId: string;
  readonly eventType: T;
  readonly actor: { id: string; type: string };
  readonly correlationId: string;
  readonly recordedAt: string;
  readonly payload: EventPayload<T>;
} & Partial<Pick<CanonicalEvent, "sequence" | "previous" | "cellId" | "tenantId" | "intentId">> & {
    /** 32 bytes; default zeros, which hide nothing. */
    readonly salt?: Uint8Array;
  };

/**
 * Makes a CanonicalEvent with its payload digest (spec/contracts.md), for streams that are built or imported by hand.
 * The pipeline records its own. EXO_SCHEMA for facts that make no event.
 */
export function createEvent<T extends EventType>(facts: EventFacts<T>): CanonicalEvent {
  const { salt = new Uint8Array(32), payload, ...rest } = facts;
  const schema = eventPayloads[facts.eventType] as unknown as z.ZodType<EventPayload<T>>;
  const checked = parseContract(schema, payload, facts.eventType);
  const event = {
    schema: "exoarmur.event/v1",
    sequence: 0,
    previous: null,
    cellId: "local",
    tenantId: "default",
    intentId: null,
    ...rest,
    payload: checked,
    payloadDigest: digestOf(concatBytes(salt, canonicalize(checked))),
    salt: encodeBase64Url(salt),
  };
  return parseContract(eventSchema, event, "event") as CanonicalEvent;
}
