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
   * call, ref.func: function index. br_table: number of labels. `end`: 1 when control can arrive from elsewhere than
   * the instruction before it. Otherwise 0.
   */
  value = new Int32Array(0);
  /** Blocks around the instruction, the function's own included. */
  depth = new Int32Array(0);

  /** Empties the list and makes room for `size` instructions. */
  reset(size: number): void {
    this.count = 0;
    if (this.op.length < size) {
      const room = Math.max(size, this.op.length * 2, 1024);
      this.op = new Uint16Array(room);
      this.start = new Int32Array(room);
      this.end = new Int32Array(room);
      this.value = new Int32Array(room);
      this.depth = new Int32Array(room);
    }
  }

  push(op: number, start: number, end: number, value: number, depth: number): void {
    const index = this.count++;
    this.op[index] = op;
    this.start[index] = start;
    this.end[index] = end;
    this.value[index] = value;
    this.depth[index] = depth;
  }
}

/** What metering needs to know of a body beyond its instructions. */
export type BodyFacts = {
  /** Parameters, results, and declared locals. */
  readonly params: number;
  readonly results: number;
  readonly locals: number;
  /** Number of local groups, and the bytes that declare them. */
  readonly groups: number;
  readonly groupsStart: number;
  readonly groupsEnd: number;
  /** Greatest operand height, in values. */
  readonly height: number;
  /** Does the function call anything? */
  readonly calls: boolean;
};
