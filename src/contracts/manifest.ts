import { z } from "zod";
import { actionSchema, digestSchema, jsonObjectSchema, nameSchema, pointerSchema } from "./common.js";
import { headerNameSchema, httpAllowSchema } from "./http.js";
import { capabilityNames } from "./imports.js";
import { compileJsonSchema } from "./json-schema.js";

/** An exported function is named in intents and records, so its name is one that they can carry. */
const wasmName = nameSchema;

/** What a grant, manifest or obligation may constrain; which member applies to which capability is in spec/contracts.md. */
export const constraintsSchema = z.strictObject({
  /** Root aliases the capability may use. */
  roots: z.array(nameSchema).max(100).optional(),
  /** Root-alias paths: the capability reaches these and what is under them, nothing else. */
  paths: z.array(z.string().min(1).max(4096)).max(100).optional(),
  /** Greatest number of bytes one call may read or write. */
  maxBytes: z.number().int().min(0).max(1_073_741_824).optional(),
  /** Greatest number of entries: of a directory that a call lists or adds to, of all keys kept for `kv_put`. */
  maxEntries: z.number().int().min(0).max(1_000_000).optional(),
  /** Greatest number of bytes of all keys and values kept for `kv_put`. */
  maxTotalBytes: z.number().int().min(0).max(1_073_741_824).optional(),
  /** Beginnings of keys the kv capabilities reach; the empty text is every key. */
  prefixes: z.array(z.string().max(512)).max(100).optional(),
  /** Where `http_request` may go. */
  allow: z.array(httpAllowSchema).max(100).optional(),
  /** Greatest number of redirects `http_request` follows. */
  maxRedirects: z.number().int().min(0).max(20).optional(),
  /** Milliseconds one `http_request` may take, redirects included. */
  timeoutMs: z.number().int().min(1).max(600_000).optional(),
  /** Lower-case names of the response headers a guest gets to see. */
  responseHeaders: z.array(headerNameSchema).max(50).optional(),
  /** Names of the secrets `http_request` may fill in. */
  secrets: z.array(nameSchema).max(50).optional(),
});

/**
 * Constraints of one granted capability. Absent members do not constrain, except `roots`, `allow`, `prefixes` and
 * `secrets`: absent in a deployment means none.
 */
export type Constraints = z.infer<typeof constraintsSchema>;

/** A capability with its constraints. */
const capabilityGrantSchema = z.strictObject({
  name: z.enum(capabilityNames),
  constraints: constraintsSchema.optional(),
});

/** A capability asked for by a manifest, or granted. */
export type CapabilityGrant = z.infer<typeof capabilityGrantSchema>;

/** Bounds of one run (spec/sandbox.md). Units: fuel units, 64 KiB pages, table elements, bytes, calls, milliseconds. */
export const limitsSchema = z.strictObject({
  fuel: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  memoryPages: z.number().int().min(1).max(16_384),
  tableElements: z.number().int().min(0).max(1_000_000),
  stackBytes: z.number().int().min(4096).max(262_144),
  outputBytes: z.number().int().min(0).max(67_108_864),
  kernelBytes: z.number().int().min(4096).max(268_435_456),
  hostCalls: z.number().int().min(0).max(1_000_000),
  timeoutMs: z.number().int().min(1).max(600_000),
});

/** Bounds of one run. */
export type Limits = z.infer<typeof limitsSchema>;

/** Defaults for whatever a manifest's `limits` leaves out. */
export const defaultLimits: Limits = {
  fuel: 1_000_000_000,
  memoryPages: 256,
  tableElements: 10_000,
  stackBytes: 262_144,
  outputBytes: 4_194_304,
  kernelBytes: 33_554_432,
  hostCalls: 1000,
  timeoutMs: 60_000,
};

/** A JSON Schema of the allowed keywords (spec/contracts.md, Input and output schemas). */
const valueSchemaSchema = jsonObjectSchema.superRefine((schema, context) => {
  const compiled = compileJsonSchema(schema);
  if (!compiled.ok) context.addIssue({ code: "custom", path: [...compiled.path], message: compiled.message });
});

/** Only JSON has an output schema. */
const outputSchemaRule = {
  message: "an output schema needs the output json",
  path: ["outputSchema"],
};

/** One exported function and the action it claims. */
const manifestFunctionSchema = z
  .strictObject({
    name: wasmName,
    action: actionSchema,
    input: z.enum(["parameters", "intent", "text", "bytes"]),
    output: z.enum(["json", "text", "bytes"]),
    effects: z.enum(["none", "read", "write"]),
    /** JSON pointer into the parameters; the intent's target is read there. */
    target: pointerSchema.optional(),
    /** JSON pointers into the parameters that identify the effect: at most one run in flight and one committed. */
    effectKey: z.array(pointerSchema).min(1).max(20).optional(),
    /** What the parameters must satisfy, whatever the input is made from. */
    inputSchema: valueSchemaSchema.optional(),
    /** What the output must satisfy. */
    outputSchema: valueSchemaSchema.optional(),
  })
  .refine((fn) => fn.outputSchema === undefined || fn.output === "json", outputSchemaRule)
  .refine((fn) => fn.effects === "none" || fn.target !== undefined, {
    message: "a function whose effects are read or write must name its target",
    path: ["target"],
  });

/** One function of an executor. */
export type ManifestFunction = z.infer<typeof manifestFunctionSchema>;

/** ExecutorManifest, resolved (spec/contracts.md): the document that is hashed. */
export const manifestSchema = z.strictObject({
  schema: z.literal("exoarmur.executor/v1"),
  name: z
    .string()
    .max(100)
    .regex(/^[a-z0-9][a-z0-9_-]*$/, "expected a lower-case name such as table-stats"),
  version: nameSchema,
  wasm: z.strictObject({ digest: digestSchema }),
  functions: z.array(manifestFunctionSchema).min(1).max(1000),
  capabilities: z.array(capabilityGrantSchema).max(100),
  limits: limitsSchema,
  publisher: nameSchema.optional(),
});

/** A whole manifest. */
export type ExecutorManifest = z.infer<typeof manifestSchema>;

/** What a manifest's module is admitted and metered for: capabilities by name, caps in pages and elements. */
export function sealingOf({ capabilities, limits: { memoryPages, tableElements } }: ExecutorManifest): {
  readonly capabilities: readonly string[];
  readonly memoryPages: number;
  readonly tableElements: number;
} {
  return { capabilities: capabilities.map(({ name }) => name), memoryPages, tableElements };
}

/** A manifest as people write it: digest, input, output, effects, capabilities and limits have defaults. */
export const manifestDraftSchema = z.strictObject({
  $schema: z.string().optional(),
  schema: z.literal("exoarmur.executor/v1"),
  name: manifestSchema.shape.name,
  version: nameSchema,
  wasm: z.strictObject({ digest: digestSchema }).optional(),
  functions: z
    .array(
      z.strictObject({
        name: wasmName,
        action: actionSchema,
        input: z.enum(["parameters", "intent", "text", "bytes"]).optional(),
        output: z.enum(["json", "text", "bytes"]).optional(),
        effects: z.enum(["none", "read", "write"]).optional(),
        target: pointerSchema.optional(),
        effectKey: z.array(pointerSchema).min(1).max(20).optional(),
        inputSchema: valueSchemaSchema.optional(),
        outputSchema: valueSchemaSchema.optional(),
      }),
    )
    .min(1)
    .max(1000),
  capabilities: z.array(capabilityGrantSchema).max(100).optional(),
  limits: limitsSchema.partial().optional(),
  publisher: nameSchema.optional(),
});

/** A manifest before its defaults are filled in. */
export type ManifestDraft = z.infer<typeof manifestDraftSchema>;

/**
 * GrantsDocument: capabilities and limits of one run after manifest, deployment and policy narrowed them. `paths` of a
 * policy obligation are already concrete.
 */
export const grantsSchema = z.strictObject({
  schema: z.literal("exoarmur.grants/v1"),
  capabilities: z.array(capabilityGrantSchema),
  limits: limitsSchema,
});

/** The effective grants of one run. */
export type Grants = z.infer<typeof grantsSchema>;
