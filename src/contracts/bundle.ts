import { z } from "zod";
import { base64Schema, countSchema, digestSchema, keyIdSchema, nameSchema, ulidSchema } from "./common.js";
import { envelopeSchema } from "./dsse.js";
import { executionRecordSchema } from "./execution.js";
import { passkeyPlaceSchema } from "./passkey.js";
import { policyVerdictSchema } from "./policy.js";
import { finalVerdictSchema, safetyVerdictNameSchema } from "./safety.js";
import { roleSchema } from "./trust.js";

/** Media type of a `*.proof.json` file. */
export const bundleMediaType = "application/vnd.exoarmur.proof+json;version=1";

/** Predicate type of an enforced run. */
export const predicateType = "urn:exoarmur:predicate:execution-proof:v1";

/** in-toto Statement type. */
export const statementType = "https://in-toto.io/Statement/v1";

/**
 * Roles of materials (spec/bundle.md) and whether their bytes start with 32 salt bytes. An intent carries its salt
 * inside, an approval request its nonce, signed envelopes their signatures; plugin, manifest and policy are public by nature.
 */
export const materialRoles = {
  intent: { salted: false },
  policy: { salted: false },
  policy_envelope: { salted: false },
  policy_input: { salted: true },
  safety_config: { salted: true },
  safety_snapshot: { salted: true },
  approval_request: { salted: false },
  approval_grant: { salted: false },
  preview: { salted: true },
  grants: { salted: true },
  attestation: { salted: true },
  manifest: { salted: false },
  manifest_envelope: { salted: false },
  plugin: { salted: false },
  plugin_admission: { salted: false },
  config: { salted: true },
  input: { salted: true },
  output: { salted: true },
  host_call: { salted: true },
  event: { salted: false },
  event_payload: { salted: true },
  resolution: { salted: false },
} as const satisfies Record<string, { salted: boolean }>;

/** A material's role. */
export type MaterialRole = keyof typeof materialRoles;

/** Revisions of every numbered behaviour a bundle depends on. */
export const revisionsSchema = z.strictObject({
  bundle: countSchema,
  canonical: countSchema,
  meter: countSchema,
  abi: countSchema,
  policy: countSchema,
  safety: countSchema,
});

/** The revisions this build writes. */
export type Revisions = z.infer<typeof revisionsSchema>;

/** Predicate of an execution proof (spec/bundle.md). */
export const predicateSchema = z.strictObject({
  revisions: revisionsSchema,
  intentId: ulidSchema,
  correlationId: nameSchema,
  tenantId: nameSchema,
  cellId: nameSchema,
  events: z.array(z.strictObject({ eventType: nameSchema, digest: digestSchema })).min(2),
  materials: z.array(
    z.strictObject({
      role: z.enum(Object.keys(materialRoles) as [MaterialRole, ...MaterialRole[]]),
      digest: digestSchema,
      salted: z.boolean(),
    }),
  ),
  verdicts: z.strictObject({
    policy: policyVerdictSchema.nullable(),
    safety: safetyVerdictNameSchema.nullable(),
    final: finalVerdictSchema.shape.verdict,
  }),
  execution: executionRecordSchema.optional(),
  keys: z.array(
    z.strictObject({
      role: roleSchema,
      keyId: keyIdSchema,
      publicKey: base64Schema,
      /** Of a passkey, and absent for every other key. */
      passkey: passkeyPlaceSchema.optional(),
    }),
  ),
});

/** The predicate. */
export type Predicate = z.infer<typeof predicateSchema>;

/** The signed in-toto statement. subject[0] is the intent, subject[1] the output if there is one. */
export const statementSchema = z.strictObject({
  _type: z.literal(statementType),
  subject: z
    .array(
      z.strictObject({
        name: z.enum(["intent", "output"]),
        digest: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      }),
    )
    .min(1)
    .max(2),
  predicateType: z.literal(predicateType),
  predicate: predicateSchema,
});

/** A statement. */
export type Statement = z.infer<typeof statementSchema>;

/** ExecutionProofBundle: one self-contained file of canonical JSON (spec/bundle.md). */
export const bundleSchema = z.strictObject({
  mediaType: z.literal(bundleMediaType),
  envelope: envelopeSchema,
  materials: z.record(digestSchema as unknown as z.ZodType<string, string>, base64Schema),
  logProof: z.string().max(100_000),
});

/** A bundle as parsed JSON. */
export type ExecutionProofBundle = z.infer<typeof bundleSchema>;
