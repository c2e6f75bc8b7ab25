import { z } from "zod";
import type { Assurance, ExecutionStatus } from "../ports.js";
import { countSchema, digestSchema, nameSchema } from "./common.js";

/** Every end an execution can have, in the order of spec/contracts.md. */
export const executionStatuses = [
  "completed",
  "guest_error",
  "trapped",
  "out_of_fuel",
  "out_of_memory",
  "stack_overflow",
  "output_limit",
  "host_call_limit",
  "capability_denied",
  "timed_out",
  "host_fault",
  "in_doubt",
] as const satisfies readonly ExecutionStatus[];

/** Ends that come from the infrastructure and are never claimed to be reproducible. */
export const irreproducibleStatuses: ReadonlySet<ExecutionStatus> = new Set(["timed_out", "host_fault", "in_doubt"]);

/** ExecutionRecord (spec/contracts.md). Digests of inputs, outputs and configuration are of salted materials. */
export const executionRecordSchema = z.strictObject({
  schema: z.literal("exoarmur.execution/v1"),
  status: z.enum(executionStatuses),
  plugin: z.strictObject({
    digest: digestSchema,
    meteredDigest: digestSchema,
    meterRevision: countSchema,
    abiRevision: countSchema,
  }),
  function: nameSchema,
  inputDigest: digestSchema,
  outputDigest: digestSchema.optional(),
  error: z.strictObject({ code: nameSchema, message: z.string().max(1024).optional() }).optional(),
  fuel: z.strictObject({ limit: countSchema, used: countSchema }),
  memoryPeakPages: countSchema,
  transcript: z.strictObject({ root: digestSchema, size: countSchema }),
  limits: z.strictObject({
    fuel: countSchema,
    memoryPages: countSchema,
    tableElements: countSchema,
    stackBytes: countSchema,
    outputBytes: countSchema,
    kernelBytes: countSchema,
    hostCalls: countSchema,
  }),
  configDigest: digestSchema,
});

/** What one execution was and how it ended. */
export type ExecutionRecord = z.infer<typeof executionRecordSchema>;

/** Configuration visible to a guest. Empty and pinned under ABI revision 1. */
export const runConfigSchema = z.strictObject({
  schema: z.literal("exoarmur.run-config/v1"),
  config: z.strictObject({}),
  logLevel: z.literal("info"),
});

const base64url = z.string().regex(/^[A-Za-z0-9_-]*$/, "expected unpadded base64url");

const signatureText = z
  .string()
  .regex(/^[A-Za-z0-9+/]+={0,2}$/, "expected standard base64")
  .max(200);

/** Who vouches for an answer (spec/capabilities.md, Assurance). */
const assuranceSchema = z.union([
  z.enum(["local", "unauthenticated"]),
  z.strictObject({ tls: z.strictObject({ spkiDigest: digestSchema }) }),
  z.strictObject({
    signed: z.discriminatedUnion("scheme", [
      z.strictObject({
        scheme: z.literal("http-message-signature"),
        keyId: nameSchema,
        base: z.string().max(65_536),
        signature: signatureText,
      }),
      z.strictObject({ scheme: z.literal("dsse"), keyId: nameSchema, payloadType: nameSchema }),
    ]),
  }),
]) satisfies z.ZodType<Assurance>;

/**
 * HostCall (spec/contracts.md): one transcript entry. Digests are of the bare bytes beside them; the entry itself is a
 * salted material. `assurance` says who vouches for the answer. `fuel` is what was used when the call was made.
 */
export const hostCallSchema = z.strictObject({
  schema: z.literal("exoarmur.host-call/v1"),
  seq: countSchema,
  capability: nameSchema,
  requestDigest: digestSchema,
  request: base64url,
  outcome: z.enum(["ok", "denied", "error", "unknown"]),
  responseDigest: digestSchema,
  response: base64url,
  assurance: assuranceSchema,
  fuel: countSchema,
});

/** One call a guest made of the host, with its answer. */
export type HostCall = z.infer<typeof hostCallSchema>;
