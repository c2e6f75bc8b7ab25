import { canonicalText, type JsonValue } from "../canonical/jcs.js";
import { isExoArmurError } from "../errors.js";

/**
 * The JSON Schemas a manifest may hold (spec/contracts.md, Input and output schemas): draft 2020-12 reduced to what can be
 * checked in bounded work and means the same on every engine. Compiling judges a schema, follows its references and
 * leaves only what is checked.
 */

/** UTF-16 units of a schema's canonical form. */
const maxSchemaLength = 65_536;

/** Levels of subschemas, those behind references included. */
const maxSchemaDepth = 32;

/** Parts of a schema, references followed: subschemas, required names, type names and allowed values. */
const maxSchemaParts = 2000;

const dialect = "https://json-schema.org/draft/2020-12/schema";

/** A JSON object of any content. */
export type JsonObject = { readonly [key: string]: JsonValue };

/** A schema whose references are followed and whose notes are gone. The same part may occur in several places. */
export type PlainSchema = boolean | { readonly [keyword: string]: unknown };

/** A schema that was judged, ready to be checked against. */
export type CompiledSchema = {
  readonly schema: PlainSchema;
  /** Parts one value can be compared with. */
  readonly parts: number;
  /** Whether items are compared with each other. */
  readonly comparesItems: boolean;
};

/** Steps that one value of an instance counts for: itself, and one for each 64 UTF-16 units of a text. */
export function stepsOf(value: JsonValue): number {
  return typeof value === "string" ? 1 + (value.length >> 6) : 1;
}

/** A schema that was compiled, or where inside it something else is expected. */
export type Compilation =
  | { readonly ok: true; readonly value: CompiledSchema }
  | { readonly ok: false; readonly path: Path; readonly message: string };

/** Compiles a manifest's schema, or says what is wrong with it. Never throws for anything JSON can hold. */
export function compileJsonSchema(schema: JsonObject): Compilation {
  try {
    return { ok: true, value: new Compiler(schema).compile() };
  } catch (error) {
    if (error instanceof SchemaFault) return { ok: false, path: error.path, message: error.message };
    if (isExoArmurError(error)) return { ok: false, path: [], message: `expected JSON: ${error.message}` };
    throw error;
  }
}

/** What is wrong with a schema, and where. Thrown and caught in this file alone. */
class SchemaFault extends Error {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

type Path = readonly (string | number)[];

/** A compiled part: what it counts for in all, and how deep it goes. */
type Part = { readonly schema: PlainSchema; readonly parts: number; readonly depth: number };

/** What compiling one keyword gives: its compiled value, and what it counts for. */
type Compiled = { readonly value: unknown; readonly parts: number; readonly depth: number };

type Rule = (this: void, compiler: Compiler, value: JsonValue, path: Path) => Compiled;

const leaf = (value: unknown, parts = 0): Compiled => ({ value, parts, depth: 0 });

function checked(what: string, isFit: (value: JsonValue) => boolean, parts = 0): Rule {
  return (_compiler, value, path) => {
    if (!isFit(value)) throw new SchemaFault(path, `expected ${what}`);
    return leaf(value, parts);
  };
}

const isCount = (value: JsonValue): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const count = checked("an integer from 0", isCount);
const number = checked("a number", (value) => typeof value === "number");

const typeNames = ["null", "boolean", "object", "array", "number", "integer", "string"];
const isType = (value: JsonValue): boolean => typeof value === "string" && typeNames.includes(value);

const types: Rule = (_compiler, value, path) => {
  const some = Array.isArray(value) ? value : [value];
  const fit = some.length > 0 && some.every(isType) && new Set(some).size === some.length;
  if (!fit) throw new SchemaFault(path, `expected one or more different names of ${typeNames.join(", ")}`);
  return leaf(value, some.length);
};

const names: Rule = (_compiler, value, path) => {
  if (!Array.isArray(value) || !value.every((name) => typeof name === "string")) {
    throw new SchemaFault(path, "expected a list of names");
  }
  return leaf(value, value.length);
};

const values: Rule = (_compiler, value, path) => {
  if (!Array.isArray(value) || value.length === 0) throw new SchemaFault(path, "expected a list of at least one value");
  return leaf(value, countValues(value));
};

const subschema: Rule = (compiler, value, path) => {
  const { schema, parts, depth } = compiler.part(value, path);
  return { value: schema, parts, depth };
};

const subschemas: Rule = (compiler, value, path) => {
  if (!Array.isArray(value) || value.length === 0)
    throw new SchemaFault(path, "expected a list of at least one schema");
  return combine(value.map((one, index) => compiler.part(one, [...path, index])));
};

const properties: Rule = (compiler, value, path) => {
  const members = compiler.members(value, path);
  const { parts, depth, value: schemas } = combine(members.map(([name, one]) => compiler.part(one, [...path, name])));
  const compiled = Object.fromEntries(members.map(([name], index) => [name, (schemas as PlainSchema[])[index]]));
  return { value: compiled, parts, depth };
};

/** Every keyword a schema may use beside `$ref`, `$defs` and the notes. Anything else is refused, never ignored. */
const rules: Readonly<Record<string, Rule>> = {
  type: types,
  enum: values,
  const: (_compiler, value) => leaf(value, countValues(value)),
  properties,
  required: names,
  additionalProperties: subschema,
  items: subschema,
  prefixItems: subschemas,
  minItems: count,
  maxItems: count,
  uniqueItems: checked("true or false", (value) => typeof value === "boolean"),
  minLength: count,
  maxLength: count,
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
  // In decimal arithmetic on up to 600 digits, which takes as long as several parts.
  multipleOf: checked("a number above 0", (value) => typeof value === "number" && value > 0, 8),
  allOf: subschemas,
  anyOf: subschemas,
  oneOf: subschemas,
  not: subschema,
};

const noteKeywords = ["title", "description", "default", "examples", "$comment"];
const allowed = [...Object.keys(rules), "$ref", ...noteKeywords];

class Compiler {
  readonly #root: JsonObject;
  readonly #definitions = new Map<string, JsonValue>();
  /** What a reference leads to, once compiled; null while it is being compiled. */
  readonly #done = new Map<string, Part | null>();
  #comparesItems = false;

  constructor(root: JsonObject) {
    this.#root = root;
  }

  compile(): CompiledSchema {
    if (canonicalText(this.#root).length > maxSchemaLength) {
      throw new SchemaFault([], `expected a schema of at most ${maxSchemaLength} characters`);
    }
    const { $schema, $defs, ...rest } = this.#root;
    if ($schema !== undefined && $schema !== dialect) throw new SchemaFault(["$schema"], `expected ${dialect}`);
    if ($defs !== undefined) {
      for (const [name, value] of this.members($defs, ["$defs"])) this.#definitions.set(name, value);
    }
    // Definitions that nothing refers to are judged as well.
    for (const name of this.#definitions.keys()) this.#definition(name, ["$defs", name]);
    const { schema, parts } = this.part(rest, []);
    return { schema, parts, comparesItems: this.#comparesItems };
  }

  /** Members of an object in the order of their names, which is the order they are checked in. */
  members(value: JsonValue, path: Path): [string, JsonValue][] {
    if (!isObject(value)) throw new SchemaFault(path, "expected an object");
    return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  part(value: JsonValue, path: Path): Part {
    if (typeof value === "boolean") return { schema: value, parts: 1, depth: 1 };
    if (!isObject(value)) throw new SchemaFault(path, "expected a schema: an object, true or false");
    const compiled: Record<string, unknown> = {};
    let parts = 1;
    let depth = 0;
    for (const [keyword, member] of this.members(value, path)) {
      const result = this.#keyword(keyword, member, [...path, keyword]);
      if (result === undefined) continue;
      parts += result.parts;
      depth = Math.max(depth, result.depth);
      compiled[keyword] = result.value;
    }
    bounded({ parts, depth: depth + 1 }, path);
    if (compiled["uniqueItems"] === true) this.#comparesItems = true;
    return { schema: withoutReference(compiled), parts, depth: depth + 1 };
  }

  /** undefined for what is not checked. */
  #keyword(keyword: string, value: JsonValue, path: Path): Compiled | undefined {
    if (noteKeywords.includes(keyword)) return undefined;
    if (keyword === "$ref") {
      const { schema, parts, depth } = this.#reference(value, path);
      return { value: schema, parts, depth };
    }
    const rule = Object.hasOwn(rules, keyword) ? rules[keyword] : undefined;
    if (rule !== undefined) return rule(this, value, path);
    if (keyword === "$defs" || keyword === "$schema") throw new SchemaFault(path, "expected at the root only");
    throw new SchemaFault(path, `expected one of the keywords ${allowed.join(", ")}`);
  }

  #reference(value: JsonValue, path: Path): Part {
    const start = "#/$defs/";
    const name = typeof value === "string" && value.startsWith(start) ? value.slice(start.length) : "";
    if (!/^[A-Za-z0-9_.-]+$/.test(name)) throw new SchemaFault(path, "expected #/$defs/ and a name of A-Za-z0-9_.-");
    return this.#definition(name, path);
  }

  #definition(name: string, path: Path): Part {
    const done = this.#done.get(name);
    if (done === null) throw new SchemaFault(path, "expected a reference that does not lead back to itself");
    if (done !== undefined) return done;
    const value = this.#definitions.get(name);
    if (value === undefined) throw new SchemaFault(path, "expected the name of a definition");
    this.#done.set(name, null);
    const part = this.part(value, ["$defs", name]);
    this.#done.set(name, part);
    return part;
  }
}

/** A reference beside other keywords holds as well as they do. */
function withoutReference({ $ref, ...compiled }: Record<string, unknown>): PlainSchema {
  if ($ref === undefined) return compiled;
  const others = Array.isArray(compiled["allOf"]) ? (compiled["allOf"] as unknown[]) : [];
  return { ...compiled, allOf: [$ref, ...others] };
}

function combine(some: readonly Part[]): Compiled {
  const parts = some.reduce((sum, one) => sum + one.parts, 0);
  return { value: some.map(({ schema }) => schema), parts, depth: Math.max(0, ...some.map(({ depth }) => depth)) };
}

function bounded({ parts, depth }: Pick<Part, "parts" | "depth">, path: Path): void {
  if (parts > maxSchemaParts)
    throw new SchemaFault(path, `expected at most ${maxSchemaParts} parts, references followed`);
  if (depth > maxSchemaDepth) throw new SchemaFault(path, `expected at most ${maxSchemaDepth} levels of schemas`);
}

function countValues(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return stepsOf(value);
  return Object.values(value).reduce<number>((sum, member) => sum + countValues(member as JsonValue), 1);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
