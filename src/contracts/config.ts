import { z } from "zod";
import { parseVkey } from "../crypto/note-key.js";
import { isExoArmurError } from "../errors.js";
import { nameSchema } from "./common.js";
import { counterpartiesSchema } from "./counterparty.js";
import { featuresSchema } from "./features.js";
import { capabilityNames } from "./imports.js";
import { parseIp } from "./ip-address.js";
import { constraintsSchema } from "./manifest.js";
import { budgetSchema, safetyConfigSchema } from "./safety.js";
import { configuredSecretsSchema } from "./secret.js";
import { signersSchema } from "./signer.js";

const rootAlias = z
  .string()
  .max(100)
  .regex(/^[a-z0-9][a-z0-9_-]*$/, "expected a lower-case alias such as data");

const userNumber = z.number().int().min(1).max(4_294_967_294);

/**
 * How executors are run: `sandbox` of config.json and of createRuntime (spec/sandbox.md, Isolation). `memoryMb` and
 * `user` are for `processes` alone.
 */
export const sandboxSchema = z
  .strictObject({
    kind: z.enum(["threads", "processes"]).optional(),
    workers: z.number().int().min(1).max(256).optional(),
    /** Jobs that wait. */
    queueBound: z.number().int().min(1).max(1_000_000).optional(),
    /** Bytes of input that wait. */
    queueBytes: z.number().int().min(1).max(68_719_476_736).optional(),
    /** Memory of one process beyond what it starts with. */
    memoryMb: z.number().int().min(64).max(65_536).optional(),
    /** Whom processes run as when the runtime is root. */
    user: z.strictObject({ uid: userNumber, gid: userNumber }).optional(),
  })
  .refine(({ kind, memoryMb, user }) => kind === "processes" || (memoryMb === undefined && user === undefined), {
    error: 'memoryMb and user need "kind": "processes"',
  });

/** How executors are run. */
export type SandboxConfig = z.infer<typeof sandboxSchema>;

const dnsServerForm = /^(?:([0-9.]+)|\[([0-9a-f:.]+)\])(?::([1-9][0-9]{0,4}))?$/;

/** `address`, `address:port` or `[IPv6]:port`. */
function isDnsServer(text: string): boolean {
  const [whole, four, six, port = "53"] = dnsServerForm.exec(text) ?? [];
  const address = whole === undefined ? text : (four ?? six ?? "");
  return parseIp(address) !== null && Number(port) <= 65_535;
}

/** How `http_request` reaches the world: `http` of config.json and of createRuntime (spec/home.md). */
export const httpConfigSchema = z.strictObject({
  /** DNS servers to ask instead of the system. */
  dnsServers: z
    .array(
      z.string().refine(isDnsServer, "expected an IP address such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"),
    )
    .min(1)
    .max(16)
    .optional(),
  /** Certificates (PEM) of authorities to trust besides those Node.js comes with. */
  caFile: z.string().min(1).max(4096).optional(),
});

/** How `http_request` reaches the world. */
export type HttpConfig = z.infer<typeof httpConfigSchema>;

/** True for https, and for http on this machine: what is not encrypted can be answered by anybody on the way. */
function isSafeUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = url?.protocol === "http:" && ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url === undefined || !(url.protocol === "https:" || local)) return false;
  return url.username === "" && url.password === "" && url.search === "" && url.hash === "";
}

/** A witness that is asked to cosign every checkpoint (spec/log.md, Asking witnesses). */
const witnessSchema = z.strictObject({
  /** For people; default the verifier key's name. */
  name: nameSchema.optional(),
  /** Verifier key of type 4. */
  vkey: z.string().min(1).max(400).refine(isWitnessVkey, "expected a witness's verifier key, name+hash+key of type 4"),
  /** Submission prefix: `/add-checkpoint` is added. */
  url: z
    .string()
    .max(2000)
    .refine(isSafeUrl, "expected an https URL (http on this machine) without user, query and fragment"),
  /** Longest wait for one answer. */
  timeoutMs: z.number().int().min(100).max(60_000).optional(),
});

/** A witness that is asked to cosign every checkpoint. */
export type WitnessConfig = z.infer<typeof witnessSchema>;

function isDistinct(witnesses: readonly { readonly vkey: string }[]): boolean {
  const keys = witnesses.filter(({ vkey }) => isWitnessVkey(vkey)).map(({ vkey }) => parseVkey(vkey).publicKey.join());
  return new Set(keys).size === keys.length;
}

function isWitnessVkey(text: string): boolean {
  try {
    return parseVkey(text).algorithm === 4;
  } catch (error) {
    if (isExoArmurError(error)) return false;
    throw error;
  }
}

/** Whom the runtime tells that people are needed (spec/notifications.md). */
const notifySchema = z.strictObject({
  url: z
    .string()
    .max(2000)
    .refine(isSafeUrl, "expected an https URL (http on this machine) without user, query and fragment"),
  /** Longest wait for one answer. */
  timeoutMs: z.number().int().min(100).max(60_000).optional(),
});

/** Whom the runtime tells that people are needed. */
export type NotifyConfig = z.infer<typeof notifySchema>;

/** Where the candidate of shadow mode is, relative to the folder that holds the home. */
const shadowConfigSchema = z.strictObject({ policy: z.string().min(1).max(4096) });

/** config.json of a home (spec/home.md). A root's path is relative to the folder that holds the home. */
export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  schema: z.literal("exoarmur.config/v1"),
  tenantId: nameSchema,
  cellId: nameSchema,
  /** Further tenants of this cell. */
  tenants: z.array(nameSchema).max(1000).optional(),
  roots: z.record(rootAlias, z.strictObject({ path: z.string().min(1).max(4096), access: z.enum(["read", "write"]) })),
  grants: z.record(nameSchema, z.partialRecord(z.enum(capabilityNames), constraintsSchema)),
  safety: z
    .strictObject({
      sources: safetyConfigSchema.shape.sources.partial().optional(),
      budgets: z.strictObject({ runs: budgetSchema.optional(), fuel: budgetSchema.optional() }).optional(),
    })
    .optional(),
  plugins: z.strictObject({ requireSignatures: z.boolean().optional() }).optional(),
  sandbox: sandboxSchema.optional(),
  http: httpConfigSchema.optional(),
  secrets: configuredSecretsSchema.optional(),
  counterparties: counterpartiesSchema.optional(),
  notify: notifySchema.optional(),
  signers: signersSchema.optional(),
  /** A candidate policy that is asked beside the one in force and never obeyed (spec/what-if.md, Shadow mode). */
  shadow: shadowConfigSchema.optional(),
  witnesses: z.array(witnessSchema).max(16).refine(isDistinct, "expected every witness once, by key").optional(),
  features: featuresSchema,
});

/** A home's configuration. */
export type Config = z.infer<typeof configSchema>;
