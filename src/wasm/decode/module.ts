import { structuralLimits } from "../limits.js";
import { type Findings, Malformed, showName } from "../reasons.js";
import { refusedType } from "../refused.js";
import { ByteReader } from "./reader.js";
import { readConstant, readElements, readReferenceType, skipData } from "./segments.js";
import {
  type ExportEntry,
  emptyShape,
  type ImportEntry,
  type Limits,
  type ModuleShape,
  type Range,
  valueTypes,
} from "./shape.js";

/** Where each section id may stand; 12 (data count) stands before the code. */
const sectionOrder: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];

type Section = (reader: ByteReader, shape: ModuleShape, findings: Findings) => void;

const sectionReaders: Readonly<Record<number, Section>> = {
  1: readTypes,
  2: readImports,
  3: readFunctions,
  4: readTables,
  5: readMemories,
  6: readGlobals,
  7: readExports,
  8: readStart,
  9: readElements,
  10: readCode,
  11: skipData,
  12: readDataCount,
};

/**
 * Decodes every section but the bodies' instructions. What is wrong is noted in `findings`; null means that the rest
 * could not be decoded.
 */
export function decodeModule(bytes: Uint8Array, findings: Findings): ModuleShape | null {
  const shape = emptyShape(bytes);
  const done = findings.guard(() => {
    const reader = new ByteReader(bytes);
    if (bytes.length < 8 || [0x00, 0x61, 0x73, 0x6d].some((byte, index) => bytes[index] !== byte)) {
      reader.fail("not a WebAssembly binary: the magic number is missing");
    }
    if ([1, 0, 0, 0].some((byte, index) => bytes[4 + index] !== byte)) {
      reader.fail("not a core WebAssembly module of version 1", 4);
    }
    reader.at = 8;
    let place = -1;
    while (reader.left > 0) {
      place = readSection(reader, shape, findings, place);
    }
    if (shape.bodies.length !== shape.functionTypes.length - shape.importedFunctions) {
      reader.fail("the function and code sections have different lengths");
    }
  });
  return done ? shape : null;
}

function readSection(reader: ByteReader, shape: ModuleShape, findings: Findings, place: number): number {
  const at = reader.at;
  const id = reader.u8();
  const size = reader.u32();
  if (size > reader.left) {
    reader.fail(`section ${id} is longer than the module`, at);
  }
  const inner = new ByteReader(reader.bytes, reader.at, reader.at + size);
  reader.at = inner.end;
  if (id === 0) {
    const name = inner.name();
    if (shape.customSections.length < 100) {
      shape.customSections.push({ name, size });
    }
    return place;
  }
  if (id === 13) {
    findings.note("EXO_WASM_FEATURE", "not admitted: exceptions, tag section", at);
    return place;
  }
  const read = sectionReaders[id];
  const next = sectionOrder.indexOf(id);
  if (read === undefined) {
    findings.halt("EXO_WASM_FEATURE", `not admitted: section ${id}`, at);
  }
  if (next <= place) {
    inner.fail(`section ${id} is out of order or repeated`, at);
  }
  shape.sections.set(id, { start: inner.at, end: inner.end });
  read(inner, shape, findings);
  if (inner.left > 0) {
    inner.fail(`section ${id} has bytes left over`);
  }
  return next;
}

function limited(reader: ByteReader, findings: Findings, what: string, limit: number): number {
  const at = reader.at;
  const count = reader.count(what);
  if (count > limit) {
    findings.halt("EXO_WASM_LIMIT", `${count} ${what} entries, at most ${limit} are admitted`, at);
  }
  return count;
}

/** A vector of value types; refused ones are noted and kept out of reach by leaving the module. */
function readValueTypes(reader: ByteReader, findings: Findings): Uint8Array {
  const count = limited(reader, findings, "value type", structuralLimits.arity);
  const start = reader.at;
  for (let index = 0; index < count; index += 1) {
    readValueType(reader, findings);
  }
  return reader.bytes.subarray(start, reader.at);
}

function readValueType(reader: ByteReader, findings: Findings): number {
  const at = reader.at;
  const type = reader.u8();
  if (valueTypes[type] === undefined) {
    findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedType(type)}, value type 0x${type.toString(16)}`, at);
  }
  if (type === 0x6f) {
    findings.use("reference-types", at);
  } else if (type === 0x7b) {
    findings.use("simd", at);
  }
  return type;
}

function readTypes(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = limited(reader, findings, "type", structuralLimits.types);
  for (let index = 0; index < count; index += 1) {
    const at = reader.at;
    const form = reader.u8();
    if (form !== 0x60) {
      findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedType(form)}, type form 0x${form.toString(16)}`, at);
    }
    const params = readValueTypes(reader, findings);
    const resultsAt = reader.at;
    const results = readValueTypes(reader, findings);
    if (results.length > 1) {
      findings.use("multi-value", resultsAt);
    }
    shape.types.push({ params, results });
  }
  const { start, end } = shape.sections.get(1) as Range;
  if (count * (end - start) > structuralLimits.typeBytes) {
    const message = `${count} types in ${end - start} bytes, the product may be ${structuralLimits.typeBytes} at most`;
    findings.halt("EXO_WASM_LIMIT", message, start);
  }
}

const importKinds: readonly ImportEntry["kind"][] = ["function", "table", "memory", "global", "tag"];

function readImports(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = limited(reader, findings, "import", structuralLimits.imports);
  for (let index = 0; index < count; index += 1) {
    const offset = reader.at;
    const module = reader.name();
    const name = reader.name();
    const kindAt = reader.at;
    const kind = importKinds[reader.u8()] ?? reader.fail("an import has an unknown kind", kindAt);
    let typeIndex = -1;
    if (kind === "function") {
      typeIndex = reader.u32();
      shape.functionTypes.push(typeIndex);
      shape.importedFunctions += 1;
    } else if (kind === "table") {
      readReferenceType(reader, findings);
      readLimits(reader, findings, "table");
    } else if (kind === "memory") {
      readLimits(reader, findings, "memory");
    } else if (kind === "global") {
      readValueType(reader, findings);
      reader.u8();
    } else {
      reader.u8();
      reader.u32();
    }
    shape.imports.push({ module, name, kind, typeIndex, offset });
  }
}

function readFunctions(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = limited(reader, findings, "function", structuralLimits.functions);
  for (let index = 0; index < count; index += 1) {
    const at = reader.at;
    const type = reader.u32();
    if (type >= shape.types.length) {
      reader.fail(`there is no type ${type}`, at);
    }
    shape.functionTypes.push(type);
  }
}

function readLimits(reader: ByteReader, findings: Findings, what: "memory" | "table"): Limits {
  const offset = reader.at;
  const flags = reader.u8();
  if (flags > 1) {
    const feature = (flags & 4) !== 0 ? "memory64" : (flags & 2) !== 0 ? "threads" : "an unknown limit";
    const shown = (flags & 8) !== 0 ? "custom page sizes" : feature;
    findings.halt("EXO_WASM_FEATURE", `not admitted: ${shown}, ${what} limits 0x${flags.toString(16)}`, offset);
  }
  const initial = reader.u32();
  const maximum = flags === 1 ? reader.u32() : null;
  return { initial, maximum, offset };
}

function readTables(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = limited(reader, findings, "table", structuralLimits.tables);
  for (let index = 0; index < count; index += 1) {
    const at = reader.at;
    if (shape.tables.length > 0) {
      findings.use("reference-types", at);
    }
    if (reader.peek() === 0x40) {
      findings.halt("EXO_WASM_FEATURE", "not admitted: typed function references, table initialiser", at);
    }
    const type = readReferenceType(reader, findings);
    shape.tables.push({ type, ...readLimits(reader, findings, "table") });
  }
}

function readMemories(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const at = reader.at;
  const count = reader.count("memory");
  if (count > 1) {
    findings.halt("EXO_WASM_FEATURE", "not admitted: multi-memory, more than one memory", at);
  }
  if (count === 1) {
    shape.memories.push(readLimits(reader, findings, "memory"));
  }
}

function readGlobals(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = limited(reader, findings, "global", structuralLimits.globals);
  for (let index = 0; index < count; index += 1) {
    const type = readValueType(reader, findings);
    const at = reader.at;
    const mutable = reader.u8();
    if (mutable > 1) {
      const feature = (mutable & 2) !== 0 ? "threads" : "an unknown global form";
      findings.halt("EXO_WASM_FEATURE", `not admitted: ${feature}, global flags 0x${mutable.toString(16)}`, at);
    }
    readConstant(reader, shape, findings);
    shape.globals.push({ type, mutable: mutable === 1 });
  }
}

const exportKinds: readonly ExportEntry["kind"][] = ["function", "table", "memory", "global"];

function readExports(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = limited(reader, findings, "export", structuralLimits.exports);
  for (let index = 0; index < count; index += 1) {
    const offset = reader.at;
    const name = reader.name();
    const kindAt = reader.at;
    const code = reader.u8();
    if (code === 4) {
      findings.halt("EXO_WASM_FEATURE", `not admitted: exceptions, exported tag ${showName(name)}`, kindAt);
    }
    const kind = exportKinds[code] ?? reader.fail("an export has an unknown kind", kindAt);
    const indexAt = reader.at;
    const target = reader.u32();
    const entry = { name, kind, index: target, offset, indexAt, end: reader.at };
    shape.exports.push(entry);
    if (kind === "function" && target < shape.importedFunctions) {
      shape.importReferences.push({ start: indexAt, end: reader.at, index: target });
    }
    if (kind === "global" && shape.globals[target]?.mutable === true) {
      findings.use("mutable-globals", offset);
    }
  }
}

function readStart(reader: ByteReader, shape: ModuleShape): void {
  const at = reader.at;
  shape.start = reader.u32();
  if (shape.start >= shape.functionTypes.length) {
    reader.fail(`there is no function ${shape.start}`, at);
  }
}

function readDataCount(reader: ByteReader, _shape: ModuleShape, findings: Findings): void {
  findings.use("bulk-memory", reader.at);
  reader.u32();
}

function readCode(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = limited(reader, findings, "body", structuralLimits.functions);
  let locals = 0;
  for (let index = 0; index < count; index += 1) {
    const at = reader.at;
    const size = reader.u32();
    if (size > reader.left) {
      reader.fail("a body is longer than its section", at);
    }
    const body = { start: reader.at, end: reader.at + size };
    locals += countLocals(reader.bytes, body);
    if (locals > structuralLimits.moduleLocals) {
      const message = `the functions declare more than ${structuralLimits.moduleLocals} locals together`;
      findings.halt("EXO_WASM_LIMIT", message, body.start);
    }
    shape.bodies.push(body);
    reader.at += size;
  }
}

/** Number of locals a body declares; up to the first that makes no sense, which decoding the body will name. */
function countLocals(bytes: Uint8Array, body: Range): number {
  const reader = new ByteReader(bytes, body.start, body.end);
  let locals = 0;
  try {
    for (let left = reader.count("local group"); left > 0; left -= 1) {
      locals += reader.u32();
      reader.u8();
    }
  } catch (error) {
    if (!(error instanceof Malformed)) {
      throw error;
    }
  }
  return locals;
}
