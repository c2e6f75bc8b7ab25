import { canonicalize, type JsonValue } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import { type AnyPolicy, anyPolicySchema, cedarSchemaName, isCedar } from "../contracts/policy-cedar.js";
import { decodeUtf8, equalBytes } from "../crypto/encoding.js";
import { type ErrorPlace, ExoArmurError, isExoArmurError } from "../errors.js";
import { compilePolicy } from "./compile.js";
import { describeIssues } from "./issues.js";
import { type Located, locateJson, readYaml } from "./yaml.js";

/** Bytes a policy file may have. */
const maxPolicyBytes = 16_777_216;

/**
 * Reads a policy file as a person wrote it (spec/policy.md): strict JSON, or the YAML subset when `file` ends in .yaml
 * or .yml. A top-level `$schema` is dropped. A rule document is compiled once to see that every rule has a meaning; that
 * of a Cedar policy needs its engine. Where a Cedar policy names a file instead of a text, `readText` gives it.
 *
 * @throws ExoArmurError EXO_JSON_*, EXO_YAML or EXO_SCHEMA with file, line where known and JSON pointer in `place`;
 * the message says the same, what was expected and what came.
 */
export function readPolicy(bytes: Uint8Array, file: string, readText?: ReadText): AnyPolicy {
  try {
    const { value, lineOf } = parse(bytes, file);
    return validate(withTexts(value, readText), file, lineOf);
  } catch (error) {
    if (!isExoArmurError(error) || error.place.file !== undefined) throw error;
    const { line } = error.place;
    const where = line === undefined ? file : `${file}, line ${line}`;
    throw new ExoArmurError(error.code, `${where}: ${error.message}`, { ...error.place, file }, { cause: error });
  }
}

/** The text of a file that lies beside a policy. EXO_FILE. */
export type ReadText = (name: string) => string;

/** A Cedar policy with its texts in it: what is hashed holds them, not the names of files. */
function withTexts(value: JsonValue, readText: ReadText | undefined): JsonValue {
  if (!isObject(value) || value["schema"] !== cedarSchemaName) return value;
  const texts: Record<string, JsonValue> = {};
  for (const member of ["cedarSchema", "policies"]) {
    const given = value[member];
    if (!isObject(given ?? null) || readText === undefined) continue;
    const { file, ...others } = given as { readonly [key: string]: JsonValue };
    if (typeof file === "string" && Object.keys(others).length === 0) texts[member] = readText(file);
  }
  return { ...value, ...texts };
}

function isObject(value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(bytes: Uint8Array, file: string): Located {
  if (!file.endsWith(".yaml") && !file.endsWith(".yml")) {
    const value = readJson(bytes, { maxBytes: maxPolicyBytes });
    return { value, lineOf: (path) => locateJson(decodeUtf8(bytes) ?? "")(path) };
  }
  if (bytes.length > maxPolicyBytes) {
    throw new ExoArmurError("EXO_JSON_SIZE", `expected at most ${maxPolicyBytes} bytes, got ${bytes.length}`);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new ExoArmurError("EXO_JSON_UTF8", "the bytes are not well-formed UTF-8");
  return readYaml(text);
}

function validate(value: JsonValue, file: string, lineOf: Located["lineOf"]): AnyPolicy {
  const document = dropSchemaMember(value);
  const raw = canonicalize(document);
  const parsed = anyPolicySchema.safeParse(document);
  if (!parsed.success) {
    const problems = describeIssues(parsed.error.issues, document);
    const lines = problems.slice(0, 8).map(({ pointer, message }) => `${pointer === "" ? "/" : pointer}: ${message}`);
    const first = problems[0];
    throw refusal(lines.join("; "), { file, pointer: first?.pointer ?? "" }, lineOf(first?.path ?? []));
  }
  if (!equalBytes(raw, canonicalize(parsed.data))) {
    throw new ExoArmurError("EXO_SCHEMA", `${file}: validation would change the document`, { file });
  }
  if (isCedar(parsed.data)) return parsed.data;
  try {
    compilePolicy(parsed.data);
  } catch (error) {
    if (!isExoArmurError(error, "EXO_SCHEMA") || error.place.pointer === undefined) throw error;
    const { pointer } = error.place;
    throw refusal(error.message.replace(/^policy: /, ""), { file, pointer }, lineOf(pathOf(pointer, document)));
  }
  return parsed.data;
}

function dropSchemaMember(value: JsonValue): JsonValue {
  if (!isObject(value)) return value;
  const { $schema: dropped, ...rest } = value;
  return typeof dropped === "string" || dropped === undefined ? rest : value;
}

/** A pointer's parts as they lie in the document: list positions as numbers. */
function pathOf(pointer: string, document: JsonValue): (string | number)[] {
  let value: unknown = document;
  return pointer
    .slice(1)
    .split("/")
    .map((token) => {
      const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
      const part = Array.isArray(value) ? Number(name) : name;
      value = (value as Record<string | number, unknown> | null | undefined)?.[part];
      return part;
    });
}

function refusal(message: string, place: ErrorPlace, line: number | undefined): ExoArmurError {
  const where = line === undefined ? place.file : `${place.file}, line ${line}`;
  return new ExoArmurError("EXO_SCHEMA", `${where}: ${message}`, line === undefined ? place : { ...place, line });
}
