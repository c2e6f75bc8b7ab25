import type { BodyFacts, InstructionList } from "./code.js";
import { structuralLimits } from "./limits.js";
import { type Opcode, op, opcodeByCode, opcodeSpace } from "./opcodes.js";
import { ByteReader } from "./reader.js";
import type { Findings } from "./reasons.js";
import { refusedInstruction, refusedType } from "./refused.js";
import { readReferenceType } from "./segments.js";
import { type ModuleShape, type Range, typeOfFunction, valueTypes } from "./shape.js";

/** An open block: the operand height below its parameters, its arities, and whether a branch reaches its end. */
type Frame = {
  readonly op: number;
  readonly base: number;
  readonly params: number;
  readonly results: number;
  joined: boolean;
};

/** Decodes one body after another into one instruction list. */
export class BodyDecoder {
  readonly #shape: ModuleShape;
  readonly #findings: Findings;
  readonly #list: InstructionList;
  readonly #reader: ByteReader;
  readonly #frames: Frame[] = [];
  #height = 0;
  #greatest = 0;
  #calls = false;
  /** No instruction here can be reached, by validation's rules; `#skipped` blocks opened since. */
  #dead = false;
  #skipped = 0;
  // The immediate that was just read.
  #value = 0;
  #params = 0;
  #results = 0;

  constructor(shape: ModuleShape, findings: Findings, list: InstructionList) {
    this.#shape = shape;
    this.#findings = findings;
    this.#list = list;
    this.#reader = new ByteReader(shape.bytes);
  }

  /**
   * Fills the list with the body's instructions. Throws Malformed or Halt; on valid modules only the latter, with a
   * reason noted.
   */
  decode(typeIndex: number, body: Range): BodyFacts {
    const type = this.#shape.types[typeIndex];
    const reader: ByteReader = this.#reader;
    reader.at = body.start;
    reader.end = body.end;
    if (type === undefined) {
      reader.fail(`there is no type ${typeIndex}`);
    }
    if (reader.left > structuralLimits.bodyBytes) {
      this.#findings.halt("EXO_WASM_LIMIT", `a body is larger than ${structuralLimits.bodyBytes} bytes`, reader.at);
    }
    const declared = this.#readLocals();
    this.#list.reset(reader.left);
    this.#height = 0;
    this.#greatest = 0;
    this.#calls = false;
    this.#dead = false;
    this.#skipped = 0;
    this.#frames.length = 0;
    this.#frames.push({ op: op.block, base: 0, params: 0, results: type.results.length, joined: false });
    while (this.#frames.length > 0) {
      this.#step();
    }
    if (reader.left > 0) {
      reader.fail("a body goes on after its end");
    }
    return {
      params: type.params.length,
      results: type.results.length,
      ...declared,
      height: this.#greatest,
      calls: this.#calls,
    };
  }

  #readLocals(): { locals: number; groups: number; groupsStart: number; groupsEnd: number } {
    const reader: ByteReader = this.#reader;
    const groups = reader.count("local group");
    const groupsStart = reader.at;
    let locals = 0;
    for (let group = 0; group < groups; group += 1) {
      const at = reader.at;
      locals += reader.u32();
      if (locals > structuralLimits.locals) {
        this.#findings.halt("EXO_WASM_LIMIT", `a function declares more than ${structuralLimits.locals} locals`, at);
      }
      this.#readValueType();
    }
    return { locals, groups, groupsStart, groupsEnd: reader.at };
  }

  #readValueType(): void {
    const at = this.#reader.at;
    const type = this.#reader.u8();
    if (valueTypes[type] === undefined) {
      const shown = `value type 0x${type.toString(16)}`;
      this.#findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedType(type)}, ${shown}`, at);
    }
  }

  #readOpcode(): Opcode {
    const reader: ByteReader = this.#reader;
    const at = reader.at;
    const byte = reader.u8();
    let sub: number | undefined;
    if (byte >= 0xfb && byte <= 0xfe) {
      sub = reader.u32();
    }
    const code = sub === undefined ? byte : byte === 0xfc && sub < opcodeSpace - 0x100 ? 0x100 + sub : opcodeSpace;
    const opcode = opcodeByCode[code];
    if (opcode === undefined) {
      const shown = sub === undefined ? `0x${byte.toString(16)}` : `0x${byte.toString(16)} ${sub}`;
      this.#findings.halt("EXO_WASM_FEATURE", `not admitted: ${refusedInstruction(byte, sub)}, opcode ${shown}`, at);
    }
    if (opcode.feature !== undefined) {
      this.#findings.use(opcode.feature, at);
    }
    return opcode;
  }

  #step(): void {
    const start = this.#reader.at;
    const opcode = this.#readOpcode();
    this.#value = 0;
    this.#readImmediate(opcode);
    if (this.#dead && !this.#revives(opcode.code)) {
      return;
    }
    const depth = this.#frames.length;
    if (opcode.pops >= 0) {
      this.#move(opcode.pops, opcode.pushes);
    }
    this.#control(opcode.code);
    this.#list.push(opcode.code, start, this.#reader.at, this.#value, depth);
  }

  /** In dead code: does this instruction end it? Keeps count of the blocks that are skipped whole. */
  #revives(code: number): boolean {
    if (code === op.block || code === op.loop || code === op.if) {
      this.#skipped += 1;
      return false;
    }
    if (this.#skipped > 0) {
      this.#skipped -= code === op.end ? 1 : 0;
      return false;
    }
    return code === op.else || code === op.end;
  }

  #move(pops: number, pushes: number): void {
    this.#height -= pops;
    if (this.#height < this.#top().base) {
      this.#reader.fail("an instruction lacks operands");
    }
    this.#height += pushes;
    if (this.#height > this.#greatest) {
      this.#greatest = this.#height;
    }
  }

  #top(): Frame {
    return this.#frames[this.#frames.length - 1] ?? this.#reader.fail("an instruction stands outside every block");
  }

  #control(code: number): void {
    switch (code) {
      case op.block:
      case op.loop:
      case op.if:
        this.#open(code);
        return;
      case op.else:
        this.#else();
        return;
      case op.end:
        this.#end();
        return;
      case op.brTable:
        this.#move(1, 0);
        this.#dead = true;
        return;
      case op.br:
      case op.return:
      case op.unreachable:
        this.#dead = true;
        return;
      case op.call:
      case op.callIndirect:
        this.#calls = true;
        this.#move(this.#params + (code === op.callIndirect ? 1 : 0), this.#results);
        return;
      default:
    }
  }

  #open(code: number): void {
    this.#move(this.#params + (code === op.if ? 1 : 0), this.#params);
    if (this.#frames.length > structuralLimits.nesting) {
      this.#findings.halt("EXO_WASM_LIMIT", `blocks nest deeper than ${structuralLimits.nesting}`, this.#reader.at);
    }
    const base = this.#height - this.#params;
    this.#frames.push({ op: code, base, params: this.#params, results: this.#results, joined: false });
  }

  #else(): void {
    const frame = this.#top();
    if (frame.op !== op.if) {
      this.#reader.fail("else without if");
    }
    this.#frames.pop();
    this.#frames.push({ ...frame, op: op.else });
    this.#height = frame.base + frame.params;
    this.#dead = false;
  }

  #end(): void {
    const frame = this.#top();
    this.#frames.pop();
    this.#value = frame.joined || this.#dead || frame.op === op.if || frame.op === op.else ? 1 : 0;
    this.#height = frame.base;
    this.#dead = false;
    if (this.#frames.length > 0) {
      this.#move(0, frame.results);
    }
  }

  #readLabel(): void {
    const at = this.#reader.at;
    const label = this.#reader.u32();
    if (this.#dead) {
      return;
    }
    const frame = this.#frames[this.#frames.length - 1 - label];
    if (frame === undefined) {
      this.#reader.fail(`there is no label ${label}`, at);
    }
    if (frame.op !== op.loop) {
      frame.joined = true;
    }
  }

  #readBlockType(): void {
    const reader: ByteReader = this.#reader;
    const at = reader.at;
    const byte = reader.peek();
    this.#params = 0;
    this.#results = 0;
    if (byte === 0x40) {
      reader.at += 1;
      return;
    }
    if ((byte & 0xc0) === 0x40) {
      this.#readValueType();
      this.#results = 1;
      return;
    }
    const index = reader.s33();
    const type = index < 0 ? undefined : this.#shape.types[index];
    if (type === undefined) {
      reader.fail(`there is no block type ${index}`, at);
    }
    this.#findings.use("multi-value", at);
    this.#params = type.params.length;
    this.#results = type.results.length;
  }

  #readCallee(indirect: boolean): void {
    const reader: ByteReader = this.#reader;
    const at = reader.at;
    const index = reader.u32();
    const type = indirect ? this.#shape.types[index] : typeOfFunction(this.#shape, index);
    if (type === undefined) {
      reader.fail(`there is no ${indirect ? "type" : "function"} ${index}`, at);
    }
    if (indirect) {
      if (reader.u32() !== 0) {
        this.#findings.use("reference-types", at);
      }
    }
    this.#value = index;
    this.#params = type.params.length;
    this.#results = type.results.length;
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
    for (let index = 0; index <= count; index += 1) {
      this.#readLabel();
    }
    this.#value = count;
  }

  #readImmediate(opcode: Opcode): void {
    const reader: ByteReader = this.#reader;
    switch (opcode.immediate) {
      case "none":
        return;
      case "local":
      case "global":
      case "table":
      case "data":
      case "element":
        reader.u32();
        return;
      case "i32":
        reader.skipSigned(32);
        return;
      case "i64":
        reader.skipSigned(64);
        return;
      case "f32":
        reader.skip(4);
        return;
      case "f64":
        reader.skip(8);
        return;
      case "memarg":
        this.#readMemoryArgument();
        return;
      case "block":
        this.#readBlockType();
        return;
      case "label":
        this.#readLabel();
        return;
      case "labels":
        this.#readLabels();
        return;
      case "function":
        this.#readCallee(false);
        return;
      case "indirect":
        this.#readCallee(true);
        return;
      case "memory":
        this.#readMemoryIndex();
        return;
      case "heap":
        readReferenceType(reader, this.#findings);
        return;
      case "types":
        for (let count = reader.count("value type"); count > 0; count -= 1) {
          this.#readValueType();
        }
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
}
