import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import { type JsonValue, maxDepth } from "../canonical/jcs.js";
import { ExoArmurError } from "../errors.js";

/** A parsed text and where its parts are. */
export type Located = {
  readonly value: JsonValue;
  /** Line (from 1) of the value at a path, or of the nearest part that exists. */
  readonly lineOf: (path: readonly PropertyKey[]) => number | undefined;
};

/**
 * Reads the subset of YAML that has one reading in YAML 1.1, YAML 1.2 and JSON (spec/policy.md, YAML): one document,
 * no directives, anchors, aliases, tags, merge keys or duplicate keys; keys are text; a plain scalar is `true`,
 * `false`, `null`, a JSON number, or text that nobody reads as something else.
 *
 * @throws ExoArmurError EXO_YAML with the line.
 */
export function readYaml(text: string): Located {
  for (const mark of ["\uFEFF", "\u0085", "\u2028", "\u2029"]) {
    const at = text.indexOf(mark);
    if (at >= 0) fail(`U+${mark.charCodeAt(0).toString(16).toUpperCase()} is not accepted`, lineAt(text, at));
  }
  const lines = new LineCounter();
  const document = parseOne(text, lines);
  const value = readNode(document.contents, lines);
  return { value, lineOf: (path) => findLine(document, lines, path) };
}

/** Lines of a JSON text for messages, which YAML's parser can find too; undefined where it cannot. */
export function locateJson(text: string): Located["lineOf"] {
  return (path) => {
    try {
      const lines = new LineCounter();
      const document = parseOne(text, lines);
      return findLine(document, lines, path);
    } catch {
      return undefined;
    }
  };
}

function parseOne(text: string, lines: LineCounter): Document {
  let documents: ReturnType<typeof parseAllDocuments>;
  try {
    documents = parseAllDocuments(text, {
      lineCounter: lines,
      version: "1.2",
      schema: "core",
      merge: false,
      strict: true,
      uniqueKeys: true,
      prettyErrors: false,
      logLevel: "silent",
    });
  } catch {
    // Nesting deep enough to end the parser's recursion.
    return fail("the text could not be parsed", 1);
  }
  const document = documents[0];
  if (document === undefined || !("contents" in document)) return fail("expected one document, got none", 1);
  const problem = [...document.errors, ...document.warnings][0];
  if (problem !== undefined) fail(problem.message, lines.linePos(problem.pos[0]).line);
  if (documents.length !== 1) return fail("expected one document, got several", 1);
  if (document.directives?.yaml.explicit === true || Object.keys(document.directives?.tags ?? {}).length > 1) {
    fail("directives are not accepted", 1);
  }
  return document as Document;
}

function readNode(node: unknown, lines: LineCounter, depth = 1): JsonValue {
  if (!isNode(node)) return fail("expected a value, got nothing", 1);
  const line = lines.linePos(node.range?.[0] ?? 0).line;
  if (depth > maxDepth + 1) return fail(`nesting is deeper than ${maxDepth} levels`, line);
  if (isAlias(node)) return fail("aliases are not accepted", line);
  if (node.anchor !== undefined) return fail("anchors are not accepted", line);
  if (node.tag !== undefined) return fail("tags are not accepted", line);
  if (isSeq(node)) return node.items.map((item) => readNode(item, lines, depth + 1));
  if (isMap(node)) {
    const entries: [string, JsonValue][] = node.items.map(({ key, value }) => {
      const name = readNode(key, lines, depth + 1);
      if (typeof name !== "string") return fail(`expected a key that is text, got ${JSON.stringify(name)}`, line);
      if (value === null) return fail(`expected a value for ${JSON.stringify(name.slice(0, 100))}, got nothing`, line);
      return [name, readNode(value, lines, depth + 1)];
    });
    // Not assignment: __proto__ must become a member, so that the strict encoder sees and refuses it.
    return Object.fromEntries(entries);
  }
  if (!isScalar(node)) return fail("expected a scalar, a list or a map", line);
  if (node.type !== "PLAIN") return String(node.value);
  return readPlain(node.source ?? "", line);
}

const words: ReadonlyMap<string, JsonValue> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const jsonNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
/** Words that some YAML version reads as a boolean, null, infinity, not-a-number, merge or value. */
const ambiguous = /^(?:true|false|null|yes|no|on|off|y|n|~|=|<<|[-+]?\.inf|\.nan|)$/i;
/** What starts as a number does: octal, hexadecimal, sexagesimal, dates, digit groups. */
const numberLike = /^[-+.]?\.?[0-9]/;

function readPlain(source: string, line: number): JsonValue {
  const word = words.get(source);
  if (word !== undefined) return word;
  if (jsonNumber.test(source)) return Number(source);
  if (ambiguous.test(source) || numberLike.test(source)) {
    return fail(source === "" ? "expected a value, got nothing" : `put ${source.slice(0, 60)} in quotes`, line);
  }
  return source;
}

function findLine(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function fail(message: string, line: number): never {
  throw new ExoArmurError("EXO_YAML", `YAML: ${message}`, { line });
}
