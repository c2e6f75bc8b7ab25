import { validate } from "@cfworker/json-schema";
import type { JsonValue } from "../canonical/jcs.js";
import { ok, type Result, refuse } from "../errors.js";
import { type CompiledSchema, compileJsonSchema, type JsonObject, type PlainSchema, stepsOf } from "./json-schema.js";
import type { ManifestFunction } from "./manifest.js";

/** Steps one check may take: parts of the schema times steps of the value. */
const maxSteps = 2_000_000;

/** Characters of a pointer or a name in a message: recorded errors are bounded (spec/contracts.md, ExecutionRecord). */
const maxShown = 200;

/** What a value does not satisfy: the place in the value, the keyword, and a text without any of the value. */
export type SchemaViolation = { readonly pointer: string; readonly keyword: string; readonly message: string };

/**
 * The first way in which a value breaks a schema, or null. Every part of the schema is compared with every value at most
 * once, so the work is bounded by their product; beyond the bound the value is not checked and breaks the schema by
 * the keyword `size`. Which violation is first depends on schema and value alone (spec/contracts.md).
 *
 * @param schema a manifest's, which its contract has judged already
 */
export function violationOf(schema: JsonObject, value: JsonValue): SchemaViolation | null {
  const compiled = compileJsonSchema(schema);
  if (!compiled.ok) return { pointer: "", keyword: "schema", message: compiled.message };
  const steps = Math.floor(maxSteps / compiled.value.parts);
  if (!isWithin(value, compiled.value, steps)) {
    return { pointer: "", keyword: "size", message: `too large to be checked: more than ${steps} steps` };
  }
  // The references are followed already, so nothing has to be looked up.
  const { valid, errors } = validate(value, compiled.value.schema, "2020-12", Object.create(null));
  return valid ? null : firstOf(errors, compiled.value.schema, value);
}

/** `violation` in one line for people, the pointer cut to whole segments where it is long. */
export function describeViolation({ pointer, keyword, message }: SchemaViolation): string {
  let shown = JSON.stringify(pointer);
  for (let place = pointer; shown.length > maxShown; shown = JSON.stringify(`${place}/...`)) {
    place = place.slice(0, place.lastIndexOf("/"));
  }
  return `at ${shown}, ${keyword}: ${message}`;
}

/** EXO_INPUT_SCHEMA when the parameters break the function's input schema; the message holds none of their values. */
export function checkInput(fn: ManifestFunction, parameters: JsonObject): Result<undefined> {
  const violation = fn.inputSchema === undefined ? null : violationOf(fn.inputSchema, parameters);
  if (violation === null) return ok(undefined);
  const what = `the parameters do not fit the input schema of ${fn.action}`;
  return refuse("EXO_INPUT_SCHEMA", `${what}: ${describeViolation(violation)}`);
}

/** EXO_OUTPUT_SCHEMA when a JSON output breaks the function's output schema; the message holds none of its values. */
export function checkOutput(fn: ManifestFunction, value: JsonValue | Uint8Array): Result<undefined> {
  if (fn.outputSchema === undefined || value instanceof Uint8Array) return ok(undefined);
  const violation = violationOf(fn.outputSchema, value);
  if (violation === null) return ok(undefined);
  const what = `the output does not fit the output schema of ${fn.action}`;
  return refuse("EXO_OUTPUT_SCHEMA", `${what}: ${describeViolation(violation)}`);
}

/** Is the value small enough? Where items are compared, each counts as often as there are items. */
function isWithin(value: JsonValue, { comparesItems }: CompiledSchema, most: number): boolean {
  let counted = 0;
  const count = (inner: JsonValue): number => {
    const own = stepsOf(inner);
    counted += own;
    if (counted > most || typeof inner !== "object" || inner === null) return own;
    const isList = Array.isArray(inner);
    let sum = own;
    for (const name of isList ? [] : Object.keys(inner)) sum += count(name);
    for (const member of isList ? inner : Object.values(inner)) {
      sum += count(member);
      if (counted > most) return sum;
    }
    if (comparesItems && isList) counted += sum * inner.length;
    return sum;
  };
  count(value);
  return counted <= most;
}

type Problem = { readonly keyword: string; readonly instanceLocation: string; readonly keywordLocation: string };

/** Keywords whose own complaint only says that a part of theirs complained. */
const passedOn: ReadonlySet<string> = new Set(["properties", "additionalProperties", "items", "prefixItems", "allOf"]);

/** From the outermost complaint inwards to what caused it. Alternatives complain as one. */
function firstOf(problems: readonly Problem[], schema: PlainSchema, value: JsonValue): SchemaViolation {
  let at = 0;
  while (passedOn.has(problems[at]?.keyword ?? "") && at + 1 < problems.length) at++;
  const problem = problems[at] ?? { keyword: "false", instanceLocation: "#", keywordLocation: "#" };
  const pointer = decodeURIComponent(problem.instanceLocation.slice(1));
  if (problem.keyword === "false") {
    return { pointer, keyword: problems[at - 1]?.keyword ?? "false", message: "no value is allowed here" };
  }
  const rule = follow(schema, decodeURIComponent(problem.keywordLocation.slice(1)));
  const message = words[problem.keyword]?.(rule, follow(value, pointer)) ?? "not satisfied";
  return { pointer, keyword: problem.keyword, message };
}

type Words = (rule: unknown, value: unknown) => string;

const is = (text: string): Words => {
  const [before = "", after = ""] = text.split("N");
  return (rule) => `expected ${before}${String(rule)}${after}`;
};

const words: Readonly<Record<string, Words>> = {
  type: (rule) => `expected ${Array.isArray(rule) ? rule.join(" or ") : String(rule)}`,
  required: (rule, value) => {
    const names = Array.isArray(rule) ? rule.map(String) : [];
    const missing = JSON.stringify(names.find((name) => !Object.hasOwn(Object(value), name)) ?? "");
    return missing.length > maxShown ? "a member is missing" : `the member ${missing} is missing`;
  },
  enum: () => "expected one of the listed values",
  const: () => "expected the one allowed value",
  minItems: is("at least N items"),
  maxItems: is("at most N items"),
  uniqueItems: () => "expected items that differ",
  minLength: is("at least N characters"),
  maxLength: is("at most N characters"),
  minimum: is("at least N"),
  maximum: is("at most N"),
  exclusiveMinimum: is("more than N"),
  exclusiveMaximum: is("less than N"),
  multipleOf: is("a multiple of N"),
  anyOf: () => "none of the alternatives fits",
  oneOf: () => "not exactly one of the alternatives fits",
  not: () => "what is excluded fits",
};

/** The member a JSON pointer names. */
function follow(document: unknown, pointer: string): unknown {
  let found = document;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    found = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[name] : undefined;
  }
  return found;
}
