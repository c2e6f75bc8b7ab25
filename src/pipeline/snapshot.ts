import type { z } from "zod";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, envelopeSchema } from "../contracts/dsse.js";

/** Reads a caller's document once: what is checked is what is recorded. EXO_SCHEMA, EXO_JSON_*. */
export function snapshot<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  return parseContract(schema, parseCanonical(canonicalize(value)), what);
}

/** As snapshot, of an envelope. */
export function readEnvelope(envelope: Envelope, what: string): Envelope {
  return snapshot(envelopeSchema, envelope, what);
}
