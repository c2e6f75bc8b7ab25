import { alwaysGranted, findImport } from "../contracts/imports.js";
import { type ImportEntry, type ModuleShape, nameTypes, showSignature, typeOfFunction } from "./decode/shape.js";
import { type Findings, showName } from "./reasons.js";

/** Export names the meter uses, and any other with this prefix, are the host's. */
const reservedPrefix = "exo:";

/** Names of what a sealed module exports beside the original's exports. */
export const reservedExports = {
  fuel: "exo:fuel",
  stack: "exo:stack",
  state: "exo:state",
  memory: "exo:memory",
  start: "exo:start",
} as const;

/** Notes every import the grants do not cover (EXO_WASM_IMPORT). */
export function checkImports(shape: ModuleShape, capabilities: readonly string[], findings: Findings): void {
  const granted = new Set<string>([...alwaysGranted, ...capabilities]);
  for (const entry of shape.imports) {
    const problem = importProblem(shape, entry, granted);
    if (problem !== null) {
      const shown = `${showName(entry.module)}.${showName(entry.name)}`;
      findings.note("EXO_WASM_IMPORT", `import ${shown}: ${problem}`, entry.offset);
    }
  }
}

function importProblem(shape: ModuleShape, entry: ImportEntry, granted: ReadonlySet<string>): string | null {
  if (entry.kind !== "function") {
    return `a ${entry.kind} cannot be imported, only functions of the import table`;
  }
  const row = findImport(entry.module, entry.name);
  if (row === undefined) {
    return "no such function is offered; nothing would grant it";
  }
  const type = shape.types[entry.typeIndex];
  const found = type === undefined ? "an unknown type" : showSignature(nameTypes(type.params), nameTypes(type.results));
  const expected = showSignature(row.params, row.results);
  if (found !== expected) {
    return `expected the signature ${expected}, found ${found}`;
  }
  if (row.capability !== null && !granted.has(row.capability)) {
    return `needs the capability ${row.capability}, which "capabilities" in the manifest must name`;
  }
  return null;
}

/** Notes every reserved export name, and functions the host would call that are not of their type (EXO_WASM_EXPORT). */
export function checkExports(shape: ModuleShape, findings: Findings): void {
  for (const entry of shape.exports) {
    if (entry.name.startsWith(reservedPrefix)) {
      findings.note("EXO_WASM_EXPORT", `the export name ${showName(entry.name)} is reserved`, entry.offset);
    }
    const expected = initializers.get(entry.name);
    const type = entry.kind === "function" ? typeOfFunction(shape, entry.index) : undefined;
    if (expected === undefined || type === undefined) {
      continue;
    }
    const found = showSignature(nameTypes(type.params), nameTypes(type.results));
    if (!expected.includes(found)) {
      const message = `the export ${entry.name} expects the signature ${expected.join(" or ")}, found ${found}`;
      findings.note("EXO_WASM_EXPORT", message, entry.offset);
    }
  }
}

/** Functions the host calls before the one asked for (spec/abi.md, a run), with the signatures it can call. */
const initializers: ReadonlyMap<string, readonly string[]> = new Map([
  ["_initialize", ["() -> ()"]],
  ["__wasm_call_ctors", ["() -> ()"]],
  ["hs_init", ["(i32, i32) -> ()", "() -> ()"]],
]);

/** Notes memories and tables that start larger than their caps (EXO_WASM_LIMIT). */
export function checkSizes(shape: ModuleShape, memoryPages: number, tableElements: number, findings: Findings): void {
  for (const memory of shape.memories) {
    if (memory.initial > memoryPages) {
      findings.note(
        "EXO_WASM_LIMIT",
        `the memory starts with ${memory.initial} pages, the cap is ${memoryPages}`,
        memory.offset,
      );
    }
  }
  let elements = 0;
  for (const table of shape.tables) {
    elements += table.initial;
    if (elements > tableElements) {
      findings.note(
        "EXO_WASM_LIMIT",
        `the tables start with ${elements} elements, the cap is ${tableElements}`,
        table.offset,
      );
      return;
    }
  }
}
