import { z } from "zod";
import { decodeUtf8 } from "../crypto/encoding.js";
import { base64Schema, pointerSchema } from "./common.js";
import { headerNameSchema } from "./http.js";
import { originSchema } from "./origin.js";

const namePattern = "[A-Za-z][A-Za-z0-9_-]{0,99}";

/** Name of a secret as it stands in a placeholder: a letter, then letters, digits, `_` and `-`. */
export const secretNameSchema = z
  .string()
  .regex(new RegExp(`^${namePattern}$`), "expected a name such as API_KEY: letters, digits, _ and -");

const bindingMembers = {
  origin: originSchema,
  /** Lower-case name of the one request header that may hold the secret. */
  header: headerNameSchema.optional(),
  /** JSON pointer to the one string of a JSON body that may hold it. */
  body: pointerSchema.optional(),
};

const hasOnePlace = ({ header, body }: { header?: string | undefined; body?: string | undefined }): boolean =>
  (header === undefined) !== (body === undefined);

const onePlace = { error: 'expected one of "header" and "body"' };

/** Where a secret may go: one server, and one header or one string of a JSON body (spec/capabilities.md, Secrets). */
export const secretBindingSchema = z.strictObject(bindingMembers).refine(hasOnePlace, onePlace);

/** Where a secret may go. */
export type SecretBinding = z.infer<typeof secretBindingSchema>;

/** How the environment names a secret of its own: this and the secret's name. */
export const secretVariable = "EXOARMUR_SECRET_";

/** Bindings by name. */
export const secretBindingsSchema = z.record(secretNameSchema, secretBindingSchema);

/** A secret of config.json: where its value is kept, and where it may go. */
const configuredSecretSchema = z
  .strictObject({ from: z.enum(["vault", "env"]), ...bindingMembers })
  .refine(hasOnePlace, onePlace);

/** `secrets` of config.json, by name. A name with `-` is no name of the environment. */
export const configuredSecretsSchema = z
  .record(secretNameSchema, configuredSecretSchema)
  .refine((secrets) => Object.entries(secrets).every(([name, { from }]) => from !== "env" || !name.includes("-")), {
    error: "expected names without - for secrets from the environment",
  });

/** A secret of config.json. */
export type ConfiguredSecret = z.infer<typeof configuredSecretSchema>;

/** Fewest and most bytes of a secret's value. A shorter one occurs in answers by chance, so echoes of it cannot be told. */
export const secretBytes = { least: 8, most: 4096 } as const;

/** How a placeholder begins. Whatever begins so is one, well-formed or not. */
export const placeholderStart = "{{secret:";

/** A well-formed placeholder, the name as its only group. Global: for replaceAll and matchAll. */
export const placeholderPattern = new RegExp(`\\{\\{secret:(${namePattern})\\}\\}`, "g");

/** Printable ASCII and inner blanks: nothing that ends a line or a field. */
const headerValue = /^[!-~](?:[ -~]*[!-~])?$/;

/**
 * What is wrong with a secret's value, to stand behind its name; undefined when it can go where it is bound and echoes
 * of it can be told. Never repeats any of it.
 */
export function secretFault(value: Uint8Array, binding?: SecretBinding): string | undefined {
  const { least, most } = secretBytes;
  if (value.length < least || value.length > most) {
    return `has ${value.length} bytes; expected ${least} to ${most}, since shorter ones cannot be told in answers`;
  }
  const text = decodeUtf8(value);
  if (text === undefined) return "is not UTF-8";
  if (binding?.header !== undefined && !headerValue.test(text)) {
    return "is bound to a header; expected printable ASCII on one line, without outer blanks";
  }
  return undefined;
}

/** What is encrypted in a vault file (spec/home.md, Vault): values by name, base64. */
export const vaultSchema = z.strictObject({
  schema: z.literal("exoarmur.vault/v1"),
  secrets: z.record(secretNameSchema, base64Schema),
});
