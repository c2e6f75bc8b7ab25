import { z } from "zod";
import type { Digest } from "../canonical/digest.js";
import type { JsonValue } from "../canonical/jcs.js";
import { canonicalText } from "../canonical/jcs.js";
import { type ErrorPlace, ExoArmurError } from "../errors.js";

/**
 * A name people or programs choose: 1 to 200 characters, no control characters, no leading or trailing space. The
 * ranges are spelled out because Unicode property classes differ between engine versions.
 */
export const nameSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
    /^[^\u0000-\u0020\u007f-\u009f](?:[^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u009f])?$/,
    "expected printable characters without leading or trailing space",
  );

/** A ULID: 26 characters of Crockford base32. */
export const ulidSchema = z.string().regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/, "expected a ULID");

/** `sha256:` and 64 lower-case hex digits. */
export const digestSchema = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, "expected sha256:<64 lower-case hex digits>") as unknown as z.ZodType<Digest>;

/** RFC 3339 UTC with milliseconds, such as `2026-01-31T23:59:59.000Z`. */
export const timeSchema = z
  .string()
  .regex(
    /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/,
    "expected RFC 3339 UTC with milliseconds",
  );

/** Unpadded base64url of 32 bytes. */
export const saltSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "expected 32 bytes in unpadded base64url");

/** First 16 bytes of a key's digest, lower-case hex. */
export const keyIdSchema = z.string().regex(/^[0-9a-f]{32}$/, "expected 32 lower-case hex digits");

/**
 * Standard padded base64. The length is checked apart: an engine recurses into a repeated group, and its stack ends a
 * few megabytes into a long text.
 */
export const base64Schema = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, "expected standard padded base64")
  .refine((text) => text.length % 4 === 0, "expected standard padded base64");

/** A whole number from 0 to 2^53-1. */
export const countSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A dotted verb such as `fs.remove`. */
export const actionSchema = z
  .string()
  .max(200)
  .regex(/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/, "expected a dotted verb such as fs.remove");

/** RFC 6901 JSON pointer that names something inside the document (not the empty pointer). */
export const pointerSchema = z
  .string()
  .max(1000)
  .regex(/^(?:\/(?:[^~/]|~[01])*)+$/, "expected a JSON pointer such as /path");

/** Who acts: an id and what sort of actor it is, such as `agent` or `person`. */
export const actorSchema = z.strictObject({ id: nameSchema, type: nameSchema });

/** Any JSON value. Refusal of what JSON cannot carry has happened in the reader, before any schema. */
export const jsonSchema: z.ZodType<JsonValue> = z.custom<JsonValue>((value) => value !== undefined).meta({});

/** A JSON object of any content. */
export const jsonObjectSchema: z.ZodType<{ [key: string]: JsonValue }> = z.custom<{ [key: string]: JsonValue }>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "expected a JSON object",
);

/** JSON pointer of a zod path. */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/**
 * Validates `value` against a contract. The parsed value must canonicalize to the same text as the raw one: a schema
 * may refuse, never change.
 *
 * @throws ExoArmurError EXO_SCHEMA with the JSON pointer of the first problem and all problems in the message.
 */
export function parseContract<T>(schema: z.ZodType<T>, value: unknown, what: string, place: ErrorPlace = {}): T {
  const raw = canonicalText(value);
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const lines = parsed.error.issues.slice(0, 8).map((issue) => `${pointerOf(issue.path) || "/"}: ${issue.message}`);
    const pointer = pointerOf(parsed.error.issues[0]?.path ?? []);
    throw new ExoArmurError("EXO_SCHEMA", `${what}: ${lines.join("; ")}`, { ...place, pointer });
  }
  if (raw !== canonicalText(parsed.data)) {
    throw new ExoArmurError("EXO_SCHEMA", `${what}: validation would change the document`, place);
  }
  return parsed.data;
}

/** Who signed an order: a name of the trust file and one of its keys. */
export const operatorSchema = z.strictObject({ id: nameSchema, keyId: keyIdSchema });
