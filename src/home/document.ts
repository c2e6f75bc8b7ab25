import type { z } from "zod";
import type { JsonValue } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { decodeUtf8 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import { describeIssues } from "../policy/issues.js";
import { readBounded } from "./atomic.js";

/** Largest configuration, trust, policy or manifest file that is read, in bytes. */
export const maxDocumentBytes = 16_777_216;

/** A contract and the text its `schema` member must have. */
export type DocumentKind<T> = { readonly schema: z.ZodType<T>; readonly version: string };

/** Reads a JSON file of the home. EXO_HOME_DAMAGED when it is missing, else as parseDocument and readBounded. */
export async function readDocument<T>(file: string, kind: DocumentKind<T>): Promise<T> {
  const read = await readBounded(file, { maxBytes: maxDocumentBytes });
  if (read === undefined) throw new ExoArmurError("EXO_HOME_DAMAGED", `${file} is missing`, { file });
  return await parseDocument(read.bytes, file, kind);
}

/**
 * Reads a document that a person wrote: strict JSON, then its contract. The message and `place` name file, line and
 * JSON pointer; the message also what was expected and what came. EXO_JSON_*, EXO_SCHEMA, EXO_SCHEMA_VERSION for a
 * version of the same document that this build does not know.
 */
export async function parseDocument<T>(
  bytes: Uint8Array,
  file: string,
  { schema, version }: DocumentKind<T>,
): Promise<T> {
  const value = read(bytes, file);
  checkVersion(value, file, version);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parseContract(schema, value, file, { file });
  const problems = describeIssues(parsed.error.issues, value);
  const lines = problems.slice(0, 8).map(({ pointer, message }) => `${pointer === "" ? "/" : pointer}: ${message}`);
  // Loaded here: lines are for messages alone, and the parser that knows them is large.
  const { locateJson } = await import("../policy/yaml.js");
  const line = locateJson(decodeUtf8(bytes) ?? "")(problems[0]?.path ?? []);
  const place = { file, pointer: problems[0]?.pointer ?? "", ...(line === undefined ? {} : { line }) };
  throw new ExoArmurError("EXO_SCHEMA", `${atLine(file, line)}: ${lines.join("; ")}`, place);
}

function read(bytes: Uint8Array, file: string): JsonValue {
  try {
    return readJson(bytes, { maxBytes: maxDocumentBytes });
  } catch (error) {
    if (!(error instanceof ExoArmurError)) throw error;
    const message = `${atLine(file, error.place.line)}: ${error.message}`;
    throw new ExoArmurError(error.code, message, { ...error.place, file });
  }
}

function checkVersion(value: JsonValue, file: string, version: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const found: unknown = (value as { readonly schema?: JsonValue }).schema;
  const family = version.slice(0, version.lastIndexOf("/") + 1);
  if (typeof found !== "string" || found === version || !found.startsWith(family)) return;
  const message = `${file}: /schema: expected ${version}, got ${found.slice(0, 100)}`;
  throw new ExoArmurError("EXO_SCHEMA_VERSION", message, { file, pointer: "/schema" });
}

function atLine(file: string, line: number | undefined): string {
  return line === undefined ? file : `${file}, line ${line}`;
}
