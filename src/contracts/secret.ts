import { z } from "zod";
import { pointerSchema } from "./common.js";
import { headerNameSchema, httpAllowSchema } from "./http.js";

const namePattern = "[A-Za-z][A-Za-z0-9_-]{0,99}";

/** Name of a secret as it stands in a placeholder: a letter, then letters, digits, `_` and `-`. */
export const secretNameSchema = z
  .string()
  .regex(new RegExp(`^${namePattern}$`), "expected a name such as API_KEY: letters, digits, _ and -");

/** One server: scheme, host and port, each compared exactly. */
export const originSchema = httpAllowSchema.pick({ scheme: true, host: true, port: true });

/** One server. */
export type Origin = z.infer<typeof originSchema>;

/** True when both are the same server. */
export function isSameOrigin(a: Origin, b: Origin): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port;
}

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

/** A secret of config.json: where its value is kept, and where it may go. */
export const configuredSecretSchema = z
  .strictObject({ from: z.enum(["vault", "env"]), ...bindingMembers })
  .refine(hasOnePlace, onePlace);

/** A secret of config.json. */
export type ConfiguredSecret = z.infer<typeof configuredSecretSchema>;

/** Fewest and most bytes of a secret's value. A shorter one occurs in answers by chance, so echoes of it cannot be told. */
export const secretBytes = { least: 8, most: 4096 } as const;

/** How a placeholder begins. Whatever begins so is one, well-formed or not. */
export const placeholderStart = "{{secret:";

/** A well-formed placeholder, the name as its only group. Global: for replaceAll and matchAll. */
export const placeholderPattern = new RegExp(`\\{\\{secret:(${namePattern})\\}\\}`, "g");
