import { structuralLimits } from "../limits.js";
import type { Findings } from "../reasons.js";
import { refusedInstruction, refusedType } from "../refused.js";
import type { InstructionList } from "./code.js";
import type { Immediate } from "./opcode.js";
import { codeOf, opcodeByCode } from "./opcodes.js";
import type { ByteReader } from "./reader.js";
import { readReferenceType } from "./segments.js";
import { type FuncType, type ModuleShape, typeOfFunction, valueTypes } from "./shape.js";

/** By opcode code: what follows it, and the feature it belongs to, "" for the first version; undefined where refused. */
const immediates: readonly (Immediate | undefined)[] = opcodeByCode.map((opcode) => opcode?.immediate);
const features: readonly (string | undefined)[] = opcodeByCode.map((opcode) => opcode && (opcode.feature ?? ""));

/** The block type that takes and leaves nothing. */
const emptyBlockType = -64;

const none: FuncType = { params: new Uint8Array(0), results: new Uint8Array(0) };
/** The type of a block with one result, by value type byte. */
const single: readonly FuncType[] = Array.from({ length: 128 }, (_, type) => ({
  params: none.params,
  results: Uint8Array.of(type),
}));

/** The type of a block from its entry in the instruction list. */
export function blockTypeOf(shape: ModuleShape, value: number): FuncType {
  if (value >= 0) {
    return shape.types[value] ?? none;
  }
  return value === emptyBlockType ? none : (single[value & 0x7f] as FuncType);
}

/** Reads opcodes and what follows them. After `read`, the other members tell what was read. */
export class ImmediateReader {
  readonly #shape: ModuleShape;
  readonly #findings: Findings;
  readonly #list: InstructionList;
  readonly #reader: ByteReader;
  /** As in the instruction list. */
  value = 0;
  labelsOf = 0;
  /** Type of the block or callee. */
  type: FuncType = none;

  constructor(shape: ModuleShape, findings: Findings, list: InstructionList, reader: ByteReader) {
    this.#shape = shape;
    this.#findings = findings;
    this.#list = list;
    this.#reader = reader;
  }

  /** Reads one instruction and returns its code. Throws Malformed, or Halt with a reason noted. */
  read(): number {
    const code = this.#readCode();
    this.value = 0;
    this.labelsOf = 0;
    const immediate = immediates[code] as Immediate;
    if (immediate !== "none") {
      this.#readImmediate(immediate);
    }
    return code;
  }

  /** Reads a value type byte. */
  readValueType(): number {
    const at = this.#reader.at;
    const type = this.#reader.u8();
    if (valueTypes[type] === undefined) {
      const shown = `value type 0x${type.toString(16)}`;
      this.#findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedType(type)}, ${shown}`, at);
    }
    if (type === 0x7b) {
      this.#findings.use("simd", at);
    }
    return type;
  }

  #readCode(): number {
    const reader: ByteReader = this.#reader;
    const at = reader.at;
    const byte = reader.u8();
    const sub = byte >= 0xfb && byte <= 0xfe ? reader.u32() : undefined;
    const code = codeOf(byte, sub);
    const feature = features[code];
    if (feature === undefined) {
      const shown = sub === undefined ? `0x${byte.toString(16)}` : `0x${byte.toString(16)} ${sub}`;
      this.#findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedInstruction(byte, sub)}, opcode ${shown}`, at);
    }
    if (feature !== "") {
      this.#findings.use(feature, at);
    }
    return code;
  }

  #readBlockType(): void {
    const reader: ByteReader = this.#reader;
    const at = reader.at;
    const byte = reader.peek();
    if (byte === 0x40) {
      reader.at += 1;
      this.value = emptyBlockType;
      this.type = none;
      return;
    }
    if ((byte & 0xc0) === 0x40) {
      const type = this.readValueType();
      this.value = type - 128;
      this.type = single[type] as FuncType;
      return;
    }
    const index = reader.s33();
    const type = index < 0 ? undefined : this.#shape.types[index];
    if (type === undefined) {
      reader.fail(`there is no block type ${index}`, at);
    }
    this.#findings.use("multi-value", at);
    this.value = index;
    this.type = type;
  }

  #readCallee(): void {
    const at = this.#reader.at;
    const index = this.#reader.u32();
    const type = typeOfFunction(this.#shape, index);
    if (type === undefined) {
      this.#reader.fail(`there is no function ${index}`, at);
    }
    this.value = index;
    this.type = type;
  }

  #readIndirectCallee(): void {
    const at = this.#reader.at;
    const index = this.#reader.u32();
    const type = this.#shape.types[index];
    if (type === undefined) {
      this.#reader.fail(`there is no type ${index}`, at);
    }
    if (this.#reader.u32() !== 0) {
      this.#findings.use("reference-types", at);
    }
    this.value = index;
    this.type = type;
  }

  #readMemoryIndex(): void {
    const at = this.#reader.at;
    if (this.#reader.u32() !== 0) {
      this.#findings.halt("EXO_WASM_FEATURE", "not admitted: multi-memory, an instruction names a second memory", at);
    }
  }

  #readLabels(): void {
    const reader: ByteReader = this.#reader;
    const at = reader.at;
    const count = reader.count("label");
    if (count > structuralLimits.branchTargets) {
      this.#findings.halt("EXO_WASM_LIMIT", `br_table with more than ${structuralLimits.branchTargets} labels`, at);
    }
    this.value = this.#list.labelCount;
    this.labelsOf = count + 1;
    for (let index = 0; index <= count; index += 1) {
      this.#list.pushLabel(reader.u32());
    }
  }

  #readMemoryArgument(): void {
    const reader: ByteReader = this.#reader;
    const at = reader.at;
    const align = reader.u32();
    if (align >= 64) {
      this.#findings.halt("EXO_WASM_FEATURE", "not admitted: multi-memory, an instruction names a second memory", at);
    }
    reader.u32();
  }

  /** Reads what follows an opcode; the most frequent kinds come first. */
  #readImmediate(immediate: Immediate): void {
    const reader: ByteReader = this.#reader;
    switch (immediate) {
      case "local":
      case "global":
      case "label":
        this.value = reader.u32();
        return;
      case "i32":
        reader.skipSigned(32);
        return;
      case "memarg":
        this.#readMemoryArgument();
        return;
      case "block":
        this.#readBlockType();
        return;
      case "function":
        this.#readCallee();
        return;
      case "i64":
        reader.skipSigned(64);
        return;
      case "labels":
        this.#readLabels();
        return;
      case "indirect":
        this.#readIndirectCallee();
        return;
      case "memarg-lane":
        this.#readMemoryArgument();
        reader.skip(1);
        return;
      case "types":
        for (let count = reader.count("value type"); count > 0; count -= 1) {
          this.readValueType();
        }
        return;
      case "heap":
        readReferenceType(reader, this.#findings);
        return;
      case "memory":
        this.#readMemoryIndex();
        return;
      case "data-memory":
        reader.u32();
        this.#readMemoryIndex();
        return;
      case "memory-memory":
        this.#readMemoryIndex();
        this.#readMemoryIndex();
        return;
      case "element-table":
      case "table-table":
        reader.u32();
        reader.u32();
        return;
      case "table":
      case "data":
      case "element":
        reader.u32();
        return;
      default:
        reader.skip(immediateBytes[immediate]);
    }
  }
}

/** Bytes of the immediates that have a fixed size. */
const immediateBytes: Readonly<Record<"none" | "f32" | "f64" | "v128" | "lane", number>> = {
  none: 0,
  lane: 1,
  f32: 4,
  f64: 8,
  v128: 16,
};
