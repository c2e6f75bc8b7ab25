import { findImport, sealedModuleOf } from "../../contracts/imports.js";
import { type Limits, type ModuleShape, type Range, typeKey } from "../decode/shape.js";
import { reservedExports } from "../permit.js";
import { writeGrow, writeThunk } from "./appendix.js";
import type { Appendix } from "./meter.js";
import { ByteWriter } from "./writer.js";

/** Index of the function type a module has, or gets at the end of its type section. */
export class TypeTable {
  readonly #known = new Map<string, number>();
  readonly appended: { readonly params: Uint8Array; readonly results: Uint8Array }[] = [];
  readonly #original: number;

  constructor(shape: ModuleShape) {
    this.#original = shape.types.length;
    shape.types.forEach(({ params, results }, index) => {
      const key = typeKey(params, results);
      if (!this.#known.has(key)) {
        this.#known.set(key, index);
      }
    });
  }

  indexOf(params: Uint8Array, results: Uint8Array): number {
    const key = typeKey(params, results);
    const known = this.#known.get(key);
    if (known !== undefined) {
      return known;
    }
    const index = this.#original + this.appended.length;
    this.appended.push({ params, results });
    this.#known.set(key, index);
    return index;
  }
}

/** Plans what is appended to a module. */
export function planAppendix(shape: ModuleShape, types: TypeTable): Appendix {
  const globals = shape.globals.length;
  const functions = shape.functionTypes.length;
  return {
    fuel: globals,
    stack: globals + 1,
    state: globals + 2,
    thunks: functions,
    grow: functions + shape.importedFunctions,
    typeIndex: (params, results) => types.indexOf(params, results),
  };
}

const i32 = 0x7f;
const i64 = 0x7e;
const growType = { params: Uint8Array.of(i32), results: Uint8Array.of(i32) };

type Caps = { readonly memoryPages: number; readonly tableElements: number };

/**
 * Puts the sealed module together: sections of the original as they were, with the meter's types, functions, globals
 * and exports appended, maxima rewritten, imports replaced by their thunks, and neither start nor custom sections.
 * `code` holds the metered bodies, each with its size.
 */
export function assemble(
  shape: ModuleShape,
  appendix: Appendix,
  types: TypeTable,
  code: ByteWriter,
  caps: Caps,
): Uint8Array {
  const out = new ByteWriter(code.length + 4096);
  out.raw(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const sections = new SectionWriter(shape, out);
  const memory = shape.memories[0];
  const maximum = memory === undefined ? 0 : Math.min(memory.maximum ?? caps.memoryPages, caps.memoryPages);
  const growIndex = memory === undefined ? -1 : types.indexOf(growType.params, growType.results);
  sections.appended(1, shape.types.length, types.appended.length, (writer) => {
    for (const { params, results } of types.appended) {
      writer.u8(0x60);
      writer.u32(params.length);
      writer.copy(params);
      writer.u32(results.length);
      writer.copy(results);
    }
  });
  sections.rewritten(2, shape.imports.length, (writer) => writeImports(writer, shape));
  const thunks = shape.importedFunctions;
  const defined = shape.functionTypes.length - thunks;
  sections.appended(3, defined, thunks + (memory === undefined ? 0 : 1), (writer) => {
    for (let index = 0; index < thunks; index += 1) {
      writer.u32(shape.functionTypes[index] as number);
    }
    if (growIndex >= 0) {
      writer.u32(growIndex);
    }
  });
  sections.rewritten(4, shape.tables.length, (writer) => {
    for (const table of shape.tables) {
      writer.u8(table.type);
      writeLimits(writer, table, caps.tableElements);
    }
  });
  sections.rewritten(5, shape.memories.length, (writer) => {
    for (const entry of shape.memories) {
      writeLimits(writer, entry, caps.memoryPages);
    }
  });
  sections.appended(
    6,
    shape.globals.length,
    3,
    (writer) => {
      writer.raw(i64, 1, 0x42, 0, 0x0b, i32, 1, 0x41, 0, 0x0b, i32, 1, 0x41, 0, 0x0b);
    },
    appendix,
  );
  writeExports(sections, shape, appendix);
  sections.original(9, appendix);
  sections.original(12);
  writeCode(sections, shape, appendix, code, defined, maximum);
  sections.original(11);
  return out.take();
}

/** Imports under the names of their table rows: whatever the guest called them, a host serves one name each. */
function writeImports(writer: ByteWriter, shape: ModuleShape): void {
  for (const { module, name, typeIndex } of shape.imports) {
    const row = findImport(module, name);
    if (row === undefined) {
      throw new TypeError("only admitted imports are written");
    }
    writer.name(sealedModuleOf(row));
    writer.name(row.name);
    writer.u8(0);
    writer.u32(typeIndex);
  }
}

function writeExports(sections: SectionWriter, shape: ModuleShape, appendix: Appendix): void {
  sections.appended(
    7,
    shape.exports.length,
    3 + shape.memories.length + (shape.start === null ? 0 : 1),
    (writer) => {
      writer.name(reservedExports.fuel);
      writer.u8(3);
      writer.u32(appendix.fuel);
      writer.name(reservedExports.stack);
      writer.u8(3);
      writer.u32(appendix.stack);
      writer.name(reservedExports.state);
      writer.u8(3);
      writer.u32(appendix.state);
      if (shape.memories.length > 0) {
        writer.name(reservedExports.memory);
        writer.u8(2);
        writer.u32(0);
      }
      if (shape.start !== null) {
        writer.name(reservedExports.start);
        writer.u8(0);
        writer.u32(shape.start < shape.importedFunctions ? appendix.thunks + shape.start : shape.start);
      }
    },
    appendix,
  );
}

function writeCode(
  sections: SectionWriter,
  shape: ModuleShape,
  appendix: Appendix,
  code: ByteWriter,
  defined: number,
  maximum: number,
): void {
  const thunks = shape.importedFunctions;
  const grow = shape.memories.length;
  sections.rewritten(10, defined + thunks + grow, (writer) => {
    writer.append(code);
    for (let index = 0; index < thunks; index += 1) {
      writer.sized(writeThunk(shape, appendix, index));
    }
    if (grow > 0) {
      writer.sized(writeGrow(appendix, maximum));
    }
  });
}

function writeLimits(writer: ByteWriter, limits: Limits, cap: number): void {
  writer.u8(1);
  writer.u32(limits.initial);
  writer.u32(Math.min(limits.maximum ?? cap, cap));
}

/** Writes sections in order; an empty one is left out. */
class SectionWriter {
  readonly #shape: ModuleShape;
  readonly #out: ByteWriter;

  constructor(shape: ModuleShape, out: ByteWriter) {
    this.#shape = shape;
    this.#out = out;
  }

  #write(id: number, content: ByteWriter): void {
    this.#out.u8(id);
    this.#out.sized(content);
  }

  /** The original section, if there is one; with `appendix`, references to imports become their thunks. */
  original(id: number, appendix?: Appendix): void {
    const range = this.#shape.sections.get(id);
    if (range !== undefined) {
      const content = new ByteWriter(range.end - range.start + 64);
      this.#copy(content, range, appendix);
      this.#write(id, content);
    }
  }

  /** The original entries with `more` appended. */
  appended(id: number, count: number, more: number, write: (writer: ByteWriter) => void, appendix?: Appendix): void {
    if (count + more === 0) {
      return;
    }
    const range = this.#shape.sections.get(id);
    const content = new ByteWriter((range === undefined ? 0 : range.end - range.start) + 256);
    content.u32(count + more);
    if (range !== undefined) {
      this.#copy(content, { start: this.#afterCount(range), end: range.end }, appendix);
    }
    write(content);
    this.#write(id, content);
  }

  /** `count` entries, all written anew. */
  rewritten(id: number, count: number, write: (writer: ByteWriter) => void): void {
    if (count === 0) {
      return;
    }
    const content = new ByteWriter();
    content.u32(count);
    write(content);
    this.#write(id, content);
  }

  #afterCount(range: Range): number {
    let at = range.start;
    while ((this.#shape.bytes[at] as number) >= 0x80) {
      at += 1;
    }
    return at + 1;
  }

  #copy(content: ByteWriter, range: Range, appendix: Appendix | undefined): void {
    let from = range.start;
    if (appendix !== undefined) {
      for (const reference of this.#shape.importReferences) {
        if (reference.start >= range.start && reference.end <= range.end) {
          content.copy(this.#shape.bytes, from, reference.start);
          content.u32(appendix.thunks + reference.index);
          from = reference.end;
        }
      }
    }
    content.copy(this.#shape.bytes, from, range.end);
  }
}
