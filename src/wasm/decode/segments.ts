import { structuralLimits } from "../limits.js";
import type { Findings } from "../reasons.js";
import { refusedInstruction, refusedType } from "../refused.js";
import type { ByteReader } from "./reader.js";
import type { ModuleShape } from "./shape.js";

/** Sub-opcode of v128.const. */
const v128Const = 12;

/** Reads `funcref` or `externref`. */
export function readReferenceType(reader: ByteReader, findings: Findings): number {
  const at = reader.at;
  const type = reader.u8();
  if (type !== 0x70 && type !== 0x6f) {
    findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedType(type)}, reference type 0x${type.toString(16)}`, at);
  }
  if (type === 0x6f) {
    findings.use("reference-types", at);
  }
  return type;
}

/** Reads a function index, noting it, and where it names an import. */
function readFunctionIndex(reader: ByteReader, shape: ModuleShape): void {
  const start = reader.at;
  const index = reader.u32();
  if (index >= shape.functionTypes.length) {
    reader.fail(`there is no function ${index}`, start);
  }
  shape.references.push(index);
  if (index < shape.importedFunctions) {
    shape.importReferences.push({ start, end: reader.at, index });
  }
}

/** Reads an initialiser: one constant or reference and `end`. Anything longer is extended-const, which is refused. */
export function readConstant(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const at = reader.at;
  const code = reader.u8();
  if (code === 0x41) {
    reader.skipSigned(32);
  } else if (code === 0x42) {
    reader.skipSigned(64);
  } else if (code === 0x43) {
    reader.skip(4);
  } else if (code === 0x44) {
    reader.skip(8);
  } else if (code === 0xd0) {
    readReferenceType(reader, findings);
    findings.use("reference-types", at);
  } else if (code === 0xd2) {
    findings.use("reference-types", at);
    readFunctionIndex(reader, shape);
  } else if (code === 0x23) {
    findings.halt("EXO_WASM_FEATURE", "not admitted: an initialiser that reads a global", at);
  } else {
    const sub = code >= 0xfb && code <= 0xfe ? reader.u32() : undefined;
    if (code !== 0xfd || sub !== v128Const) {
      findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedInstruction(code, sub)}, in an initialiser`, at);
    }
    findings.use("simd", at);
    reader.skip(16);
  }
  const end = reader.at;
  if (reader.u8() !== 0x0b) {
    findings.halt("EXO_WASM_FEATURE", "not admitted: extended constant expressions", end);
  }
}

/** Reads how many segments a section has. */
function countSegments(reader: ByteReader, findings: Findings, what: string, most: number): number {
  const at = reader.at;
  const count = reader.count(`${what} segment`);
  if (count > most) {
    findings.halt("EXO_WASM_LIMIT", `${count} ${what} segments, at most ${most} are admitted`, at);
  }
  return count;
}

/** Reads the element section: segments of all eight kinds. */
export function readElements(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = countSegments(reader, findings, "element", structuralLimits.elementSegments);
  for (let index = 0; index < count; index += 1) {
    readElement(reader, shape, findings);
  }
}

function readElement(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const at = reader.at;
  const kind = reader.u32();
  if (kind > 7) {
    reader.fail(`an element segment has the unknown kind ${kind}`, at);
  }
  const passive = (kind & 1) !== 0;
  const explicit = (kind & 2) !== 0;
  const expressions = (kind & 4) !== 0;
  if (kind !== 0) {
    findings.use(passive && !explicit ? "bulk-memory" : "reference-types", at);
  }
  if (!passive) {
    if (explicit) {
      reader.u32();
    }
    readConstant(reader, shape, findings);
  }
  if (passive || explicit) {
    if (expressions) {
      readReferenceType(reader, findings);
    } else if (reader.u8() !== 0) {
      reader.fail("an element kind other than functions", reader.at - 1);
    }
  }
  const entriesAt = reader.at;
  const entries = reader.count("element");
  shape.elementEntries += entries;
  if (shape.elementEntries > structuralLimits.elementEntries) {
    findings.halt("EXO_WASM_LIMIT", `more than ${structuralLimits.elementEntries} element entries`, entriesAt);
  }
  for (let entry = 0; entry < entries; entry += 1) {
    if (expressions) {
      readConstant(reader, shape, findings);
    } else {
      readFunctionIndex(reader, shape);
    }
  }
}

/** Reads the data section; its bytes are not looked at. */
export function skipData(reader: ByteReader, shape: ModuleShape, findings: Findings): void {
  const count = countSegments(reader, findings, "data", structuralLimits.dataSegments);
  for (let index = 0; index < count; index += 1) {
    const kindAt = reader.at;
    const kind = reader.u32();
    if (kind > 2) {
      reader.fail(`a data segment has the unknown kind ${kind}`, kindAt);
    }
    if (kind === 1) {
      findings.use("bulk-memory", kindAt);
    } else {
      if (kind === 2 && reader.u32() !== 0) {
        findings.halt("EXO_WASM_FEATURE", "not admitted: multi-memory, a data segment names a second memory", kindAt);
      }
      readConstant(reader, shape, findings);
    }
    reader.skip(reader.count("data byte"));
  }
}
