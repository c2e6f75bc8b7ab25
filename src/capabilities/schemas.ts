import { z } from "zod";
import { decodeAbi } from "../canonical/msgpack.js";
import type { CapabilityName } from "../contracts/imports.js";
import { encodeUtf8 } from "../crypto/encoding.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import type { AbiValue } from "../ports.js";
import { greatestMaxBytes, logMessageBytes, plainRequestBytes } from "./bounds.js";
import { httpHeaderCount, httpRequestSchema } from "./http-request.js";

const path = z.string().min(1).max(4096);
const bytes = z.instanceof(Uint8Array);
const key = z.string().min(1).max(512);
const limit = z.number().int().min(1).max(1000);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Request of every capability (spec/capabilities.md). Nothing is defaulted, dropped or converted. */
const requestSchemas = {
  clock_now: z.strictObject({}),
  random_bytes: z.strictObject({ length: z.number().int().min(0).max(65_536) }),
  log: z.strictObject({
    level: z.enum(["trace", "debug", "info", "warn", "error"]),
    message: z
      .string()
      .max(logMessageBytes)
      .refine((text) => encodeUtf8(text).length <= logMessageBytes),
  }),
  fs_read: z.strictObject({ path, offset: count.optional(), length: count.optional() }),
  fs_write: z.strictObject({ path, bytes, mode: z.enum(["create", "replace"]) }),
  fs_list: z.strictObject({ path }),
  fs_stat: z.strictObject({ path }),
  fs_remove: z.strictObject({ path }),
  fs_append: z.strictObject({ path, bytes }),
  fs_mkdir: z.strictObject({ path }),
  fs_rename: z.strictObject({ path, to: path, mode: z.enum(["create", "replace"]) }),
  http_request: httpRequestSchema,
  kv_get: z.strictObject({ key }),
  kv_put: z.strictObject({ key, value: bytes, expect: count.optional() }),
  kv_delete: z.strictObject({ key, expect: count.optional() }),
  kv_list: z.strictObject({ prefix: z.string().max(512), after: key.optional(), limit: limit.optional() }),
} as const satisfies Record<CapabilityName, z.ZodType>;

/** A request after its schema. */
export type CapabilityRequest = Readonly<Record<string, AbiValue>>;

/** A member of a request that its schema says is text. */
export function textOf(request: CapabilityRequest, member: string): string {
  const value = request[member];
  return typeof value === "string" ? value : "";
}

/** Members of a request that are write content, to be shown by size and digest instead of in full. */
export const contentMembers: Readonly<Record<CapabilityName, readonly string[]>> = {
  clock_now: [],
  random_bytes: [],
  log: [],
  fs_read: [],
  fs_write: ["bytes"],
  fs_list: [],
  fs_stat: [],
  fs_remove: [],
  fs_append: ["bytes"],
  fs_mkdir: [],
  fs_rename: [],
  http_request: ["body"],
  kv_get: [],
  kv_put: ["value"],
  kv_delete: [],
  kv_list: [],
};

/** What a broken request is told. Fixed text: it becomes part of the answer, and so of the transcript. */
const expected: Readonly<Record<CapabilityName, string>> = {
  clock_now: "{}",
  random_bytes: "{length: 0 to 65536}",
  log: "{level: trace|debug|info|warn|error, message: text of at most 4096 bytes}",
  fs_read: "{path: text, offset?: integer, length?: integer}",
  fs_write: '{path: text, bytes: bytes, mode: "create"|"replace"}',
  fs_list: "{path: text}",
  fs_stat: "{path: text}",
  fs_remove: "{path: text}",
  fs_append: "{path: text, bytes: bytes}",
  fs_mkdir: "{path: text}",
  fs_rename: '{path: text, to: text, mode: "create"|"replace"}',
  http_request: "{method: upper-case name, url: text, headers: map of lower-case names to text, body: bytes}",
  kv_get: "{key: text of 1 to 512 characters}",
  kv_put: "{key: text of 1 to 512 characters, value: bytes, expect?: version}",
  kv_delete: "{key: text of 1 to 512 characters, expect?: version}",
  kv_list: "{prefix: text, after?: key, limit?: 1 to 1000}",
};

/** Nesting of a request, and how many values it may have in all; flat where it is not named. */
const shapes: Readonly<Partial<Record<CapabilityName, { readonly maxDepth: number; readonly maxItems: number }>>> = {
  http_request: { maxDepth: 2, maxItems: 2 * (4 + httpHeaderCount) },
};

/** No request has more members than this; a longer map is refused before anything is made for it. */
const maxMembers = 8;

/**
 * Reads a guest's request: one msgpack map of the capability's shape, flat but for the headers of http_request. EXO_CAPABILITY_REQUEST for anything else,
 * with a message that repeats nothing the guest wrote.
 */
export function readRequest(capability: CapabilityName, request: Uint8Array): Result<CapabilityRequest> {
  const content = contentMembers[capability].length > 0;
  const maxBytes = plainRequestBytes + (content ? greatestMaxBytes : 0);
  const broken = (why: string): Result<never> =>
    refuse("EXO_CAPABILITY_REQUEST", `${capability} expects ${expected[capability]}; ${why}`);
  if (request.length > maxBytes) return broken(`the request is larger than ${maxBytes} bytes`);
  if (!isSmallMap(request)) return broken(`the request is not a msgpack map of at most ${maxMembers} members`);
  let value: AbiValue;
  try {
    value = decodeAbi(request, { maxBytes, maxDepth: 1, ...shapes[capability] });
  } catch (error) {
    if (isExoArmurError(error, "EXO_MSGPACK")) return broken("the request is not such a msgpack map");
    throw error;
  }
  const parsed = requestSchemas[capability].safeParse(value);
  if (parsed.success) return ok(parsed.data as CapabilityRequest);
  const member = parsed.error.issues[0]?.path[0];
  return broken(member === undefined ? "an unknown member came" : `member ${String(member)} is missing or wrong`);
}

/** Does the document start with the header of a map that is short enough? The count is read before it is believed. */
function isSmallMap(request: Uint8Array): boolean {
  const head = request[0] ?? 0;
  if (head >= 0x80 && head <= 0x8f) return (head & 0x0f) <= maxMembers;
  const width = head === 0xde ? 2 : head === 0xdf ? 4 : 0;
  if (width === 0 || request.length <= width) return false;
  let members = 0;
  for (const byte of request.subarray(1, 1 + width)) members = members * 256 + byte;
  return members <= maxMembers;
}
