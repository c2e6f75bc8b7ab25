import { grownInts } from "./grow.js";
import { op, opcodeSpace } from "./opcodes.js";

/**
 * The instructions of one function that can be reached by validation's rules, as parallel columns; one object is used
 * again for body after body. Code after an unconditional branch is not in it.
 */
export class InstructionList {
  count = 0;
  /** Opcode code (opcodes.ts). */
  op = new Uint16Array(0);
  /** First byte, and the byte after the last, in the module. */
  start = new Int32Array(0);
  end = new Int32Array(0);
  /**
   * block, loop, if: the block type, -64 for none, another negative for a value type, else a type index. br, br_if: the
   * label. br_table: where its labels start in `labels`. call, ref.func: function index. call_indirect: type index.
   * local.*, global.*: the index. `end`: 0 when it ends no basic block, being that of a block nobody leaves early, else
   * 1. Otherwise 0.
   */
  value = new Int32Array(0);
  /** br_table: number of labels, the default's included. Otherwise 0. */
  labelsOf = new Int32Array(0);
  /** Blocks around the instruction, the function's own included. */
  depth = new Int32Array(0);
  /** Labels of every br_table, one table after another. */
  labels = new Int32Array(64);
  labelCount = 0;

  /** Empties the list and makes room for `size` instructions. */
  reset(size: number): void {
    this.count = 0;
    this.labelCount = 0;
    if (this.op.length < size) {
      const room = Math.max(size, this.op.length * 2, 1024);
      this.op = new Uint16Array(room);
      this.start = new Int32Array(room);
      this.end = new Int32Array(room);
      this.value = new Int32Array(room);
      this.labelsOf = new Int32Array(room);
      this.depth = new Int32Array(room);
    }
  }

  push(op: number, start: number, end: number, value: number, labelsOf: number, depth: number): void {
    const index = this.count++;
    this.op[index] = op;
    this.start[index] = start;
    this.end[index] = end;
    this.value[index] = value;
    this.labelsOf[index] = labelsOf;
    this.depth[index] = depth;
  }

  pushLabel(label: number): void {
    if (this.labelCount === this.labels.length) {
      this.labels = grownInts(this.labels);
    }
    this.labels[this.labelCount++] = label;
  }
}

/** What metering needs to know of a body beyond its instructions. */
export type BodyFacts = {
  /** Number of parameters, and of declared locals. */
  readonly params: number;
  readonly locals: number;
  /** Number of local groups, and the bytes that declare them. */
  readonly groups: number;
  readonly groupsStart: number;
  readonly groupsEnd: number;
  /** Size of the function's frame, in 8-byte words (spec/sandbox.md, Stack). */
  readonly words: number;
};

/** Does a basic block end with this instruction? */
export function endsBlock(code: number, value: number): boolean {
  return code === op.end ? value === 1 : blockEnds[code] === 1;
}

const blockEnds = new Uint8Array(opcodeSpace);
for (const code of [op.loop, op.if, op.else, op.br, op.brIf, op.brTable, op.return, op.unreachable]) {
  blockEnds[code] = 1;
}
