import { structuralLimits } from "../limits.js";
import type { Findings } from "../reasons.js";
import type { BodyFacts, InstructionList } from "./code.js";
import { ImmediateReader } from "./immediates.js";
import { op, operands } from "./opcodes.js";
import { ByteReader } from "./reader.js";
import { type FuncType, type ModuleShape, type Range, wordsOf, wordsOfType } from "./shape.js";

const v128 = 0x7b;

/** Words of a frame beyond parameters, locals and operands: the engine's own and the meter's scratch. */
const frameBaseWords = 12;

/** An open block: the operand height below its parameters, its type, and whether a branch reaches its end. */
type Frame = {
  readonly op: number;
  readonly base: number;
  readonly type: FuncType;
  joined: boolean;
};

const noType: FuncType = { params: new Uint8Array(0), results: new Uint8Array(0) };

/** Decodes one body after another into one instruction list. */
export class BodyDecoder {
  readonly #shape: ModuleShape;
  readonly #findings: Findings;
  readonly #list: InstructionList;
  readonly #reader: ByteReader;
  readonly #immediate: ImmediateReader;
  readonly #frames: Frame[] = [];
  #height = 0;
  #greatest = 0;
  /** Can an operand take two words? */
  #wide = false;
  readonly #wideTypes: boolean;
  /** No instruction here can be reached, by validation's rules; `#skipped` blocks opened since. */
  #dead = false;
  #skipped = 0;

  constructor(shape: ModuleShape, findings: Findings, list: InstructionList) {
    this.#shape = shape;
    this.#findings = findings;
    this.#list = list;
    this.#reader = new ByteReader(shape.bytes);
    this.#immediate = new ImmediateReader(shape, findings, list, this.#reader);
    this.#wideTypes = shape.types.some(({ params, results }) => params.includes(v128) || results.includes(v128));
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
    const { localWords, ...declared } = this.#readLocals();
    this.#list.reset(reader.left);
    this.#height = 0;
    this.#greatest = 0;
    this.#wide = this.#wideTypes || localWords > declared.locals;
    this.#dead = false;
    this.#skipped = 0;
    this.#frames.length = 0;
    this.#frames.push({ op: op.block, base: 0, type: { params: noType.params, results: type.results }, joined: false });
    while (this.#frames.length > 0) {
      this.#step();
    }
    if (reader.left > 0) {
      reader.fail("a body goes on after its end");
    }
    // Parameters count twice, since the caller passes them on the stack and the function keeps its own copies, and
    // results once, since the caller keeps room for them.
    const signature = wordsOfType(this.#shape, typeIndex);
    const operands = this.#greatest * (this.#wide ? 2 : 1);
    const words = frameBaseWords + 2 * signature.params + signature.results + localWords + operands;
    return { params: type.params.length, ...declared, words };
  }

  #readLocals(): Pick<BodyFacts, "locals" | "groups" | "groupsStart" | "groupsEnd"> & { localWords: number } {
    const reader: ByteReader = this.#reader;
    const groups = reader.count("local group");
    const groupsStart = reader.at;
    let locals = 0;
    let localWords = 0;
    for (let group = 0; group < groups; group += 1) {
      const at = reader.at;
      const count = reader.u32();
      locals += count;
      if (locals > structuralLimits.locals) {
        this.#findings.halt("EXO_WASM_LIMIT", `a function declares more than ${structuralLimits.locals} locals`, at);
      }
      localWords += count * wordsOf(this.#immediate.readValueType());
    }
    return { locals, localWords, groups, groupsStart, groupsEnd: reader.at };
  }

  #step(): void {
    const start = this.#reader.at;
    const list = this.#list;
    const labels = list.labelCount;
    const code = this.#immediate.read();
    if (this.#dead && !this.#revives(code)) {
      list.labelCount = labels;
      return;
    }
    const depth = this.#frames.length;
    const pops = operands.pops[code] as number;
    if (pops >= 0) {
      this.#move(pops, operands.pushes[code] as number);
    }
    this.#wide ||= code >= 0x200;
    const joined = code <= op.callIndirect && this.#control(code);
    const value = code === op.end ? Number(joined) : this.#immediate.value;
    list.push(code, start, this.#reader.at, value, this.#immediate.labelsOf, depth);
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

  /** What a control instruction does to the blocks. For `end`: true when a basic block ends there. */
  #control(code: number): boolean {
    switch (code) {
      case op.block:
      case op.loop:
      case op.if:
        this.#open(code);
        return false;
      case op.else:
        this.#else();
        return false;
      case op.end:
        return this.#end();
      case op.brTable:
        this.#move(1, 0);
        for (let index = 0; index < this.#immediate.labelsOf; index += 1) {
          this.#join(this.#list.labels[this.#immediate.value + index] as number);
        }
        this.#dead = true;
        return false;
      case op.brIf:
        this.#join(this.#immediate.value);
        return false;
      case op.br:
        this.#join(this.#immediate.value);
        this.#dead = true;
        return false;
      case op.return:
      case op.unreachable:
        this.#dead = true;
        return false;
      case op.call:
      case op.callIndirect:
        this.#call(code === op.callIndirect ? 1 : 0);
        return false;
      default:
        return false;
    }
  }

  #call(index: 0 | 1): void {
    const { params, results } = this.#immediate.type;
    this.#move(params.length + index, results.length);
  }

  #open(code: number): void {
    const type = this.#immediate.type;
    this.#move(type.params.length + (code === op.if ? 1 : 0), type.params.length);
    if (this.#frames.length > structuralLimits.nesting) {
      this.#findings.halt("EXO_WASM_LIMIT", `blocks nest deeper than ${structuralLimits.nesting}`, this.#reader.at);
    }
    this.#frames.push({ op: code, base: this.#height - type.params.length, type, joined: false });
  }

  #else(): void {
    const frame = this.#top();
    if (frame.op !== op.if) {
      this.#reader.fail("else without if");
    }
    this.#frames.pop();
    this.#frames.push({ ...frame, op: op.else });
    this.#height = frame.base + frame.type.params.length;
    this.#dead = false;
  }

  #end(): boolean {
    const frame = this.#top();
    this.#frames.pop();
    const joined = frame.joined || this.#dead || frame.op !== op.block || this.#frames.length === 0;
    this.#height = frame.base;
    this.#dead = false;
    if (this.#frames.length > 0) {
      this.#move(0, frame.type.results.length);
    }
    return joined;
  }

  #join(label: number): void {
    const frame = this.#frames[this.#frames.length - 1 - label];
    if (frame === undefined) {
      this.#reader.fail(`there is no label ${label}`);
    }
    if (frame.op !== op.loop) {
      frame.joined = true;
    }
  }
}
