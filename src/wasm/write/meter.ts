import type { BodyFacts, InstructionList } from "../decode/code.js";
import type { FloatShape } from "../decode/opcode.js";
import { op, opcodeByCode, opcodeSpace } from "../decode/opcodes.js";
import type { FuncType, ModuleShape } from "../decode/shape.js";
import { type DynamicCost, readFuelTable } from "../fuel.js";
import type { CallGraph } from "../plan/call-graph.js";
import type { ChargePlanner, Entry } from "../plan/charges.js";
import { nanActions } from "../plan/nan-places.js";
import { NanPlanner } from "../plan/nan-plan.js";
import { StackPlanner, stackAction } from "../plan/stack-plan.js";
import { ByteWriter } from "./writer.js";

const emptyBlock = 0x40;
const typeByte = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;

/** Indices of what metering appends to a module. */
export type Appendix = {
  /** Globals `exo:fuel`, `exo:stack`, `exo:state`. */
  readonly fuel: number;
  readonly stack: number;
  readonly state: number;
  /** Function index of the thunk of import 0; the others follow. */
  readonly thunks: number;
  /** Function index that stands for memory.grow, when the module has a memory. */
  readonly grow: number;
  /** Index of a function type, appended when the module has none like it. */
  readonly typeIndex: (params: Uint8Array, results: Uint8Array) => number;
};

/** What metering put into a module: how many places of each kind. */
export type Charges = {
  /** Places that charge fuel known beforehand. */
  readonly points: number;
  /** Instructions that are charged for by an operand. */
  readonly dynamic: number;
  /** Places that make a NaN canonical. */
  readonly nans: number;
  /** Places that take a frame from the stack counter. */
  readonly frames: number;
};

const dynamicCosts: readonly (DynamicCost | undefined)[] = Array.from({ length: opcodeSpace }, (_, code) => {
  const name = opcodeByCode[code]?.name ?? "";
  const costs = readFuelTable().dynamic;
  return code !== op.memoryGrow && Object.hasOwn(costs, name) ? costs[name] : undefined;
});

/**
 * `global.get F; i64.const cost; i64.sub` with more to subtract on the stack by the caller, then
 * `local.tee t; global.set F; local.get t; i64.const 0; i64.lt_s; br_if trap`.
 */
export function writeFuelCheck(out: ByteWriter, fuel: number, scratch: number, trap: number): void {
  out.u8(op.localTee);
  out.u32(scratch);
  out.u8(op.globalSet);
  out.u32(fuel);
  out.u8(op.localGet);
  out.u32(scratch);
  out.raw(op.i64Const, 0, op.i64LtS, op.brIf);
  out.u32(trap);
}

/** `global.get F; i64.const cost; i64.sub`. */
export function writeFuelDebit(out: ByteWriter, fuel: number, cost: number): void {
  out.u8(op.globalGet);
  out.u32(fuel);
  out.u8(op.i64Const);
  out.s32(cost);
  out.u8(op.i64Sub);
}

/** Writes metered bodies (spec/sandbox.md). One object serves a whole module. */
export class BodyMeter {
  readonly #shape: ModuleShape;
  readonly #appendix: Appendix;
  readonly #graph: CallGraph;
  readonly #charges: ChargePlanner;
  readonly #stack: StackPlanner;
  readonly #nans: NanPlanner;
  readonly #body = new ByteWriter(4096);
  readonly charges = { points: 0, dynamic: 0, nans: 0, frames: 0 };
  /** Words of the present function's frame. */
  #words = 0;
  // Scratch locals of the present function; -1 where it needs none.
  #fuelLocal = -1;
  #wordLocal = -1;
  readonly #nanLocals = new Map<FloatShape, number>();
  /** Depth of the loop in which the fuel stands in its local as well, -1 outside of one. */
  #localLoop = -1;

  constructor(shape: ModuleShape, appendix: Appendix, graph: CallGraph, planner: ChargePlanner) {
    this.#shape = shape;
    this.#appendix = appendix;
    this.#graph = graph;
    this.#charges = planner;
    this.#stack = new StackPlanner(graph);
    this.#nans = new NanPlanner(shape);
  }

  /** Meters defined function `index` and returns its body; the writer is used again by the next call. */
  meter(index: number, type: FuncType, list: InstructionList, facts: BodyFacts, entry: Entry): ByteWriter {
    const body = this.#body;
    body.clear();
    this.#words = facts.words;
    this.#charges.plan(list, facts, entry);
    this.#stack.plan(index, list);
    this.#nans.plan(type, list, facts);
    const wrapped = this.#writeLocals(list, facts, entry.kind === "callers");
    if (wrapped) {
      body.raw(op.block, emptyBlock, op.block);
      this.#writeResultType(type);
    }
    if (this.#stack.whole) {
      this.#enter(1);
    }
    this.#writeInstructions(list);
    if (this.#stack.whole) {
      this.#leave();
    }
    if (wrapped) {
      body.raw(op.return, op.end, op.unreachable, op.end);
    }
    return body;
  }

  /** Declares the original locals and the scratch ones that this function needs. True when it can run out of anything. */
  #writeLocals(list: InstructionList, facts: BodyFacts, silent: boolean): boolean {
    let points = 0;
    let dynamic = 0;
    const shapes = new Set<FloatShape>();
    for (let index = 0; index < list.count; index += 1) {
      points += Number((this.#charges.charges[index] as number) > 0);
      dynamic += Number(dynamicCosts[list.op[index] as number] !== undefined);
      const shape = nanActions[this.#nans.actions[index] as number];
      if (shape !== undefined) {
        shapes.add(shape);
      }
    }
    this.charges.points += points;
    this.charges.dynamic += dynamic;
    this.charges.nans += this.#nans.places;
    this.charges.frames += this.#stack.places;
    const fuel = !silent && points + dynamic > 0;
    const word = dynamic + this.#stack.places > 0;
    const body = this.#body;
    body.u32(facts.groups + Number(fuel) + Number(word) + shapes.size);
    body.copy(this.#shape.bytes, facts.groupsStart, facts.groupsEnd);
    let next = facts.params + facts.locals;
    const declare = (type: number): number => {
      body.raw(1, type);
      return next++;
    };
    this.#fuelLocal = fuel ? declare(typeByte.i64) : -1;
    this.#wordLocal = word ? declare(typeByte.i32) : -1;
    this.#nanLocals.clear();
    for (const shape of nanActions) {
      if (shape !== undefined && shapes.has(shape)) {
        this.#nanLocals.set(shape, declare(shape === "f32" || shape === "f64" ? typeByte[shape] : typeByte.v128));
      }
    }
    return fuel || this.#stack.places > 0;
  }

  #writeResultType(type: FuncType): void {
    if (type.results.length === 0) {
      this.#body.u8(emptyBlock);
    } else if (type.results.length === 1) {
      this.#body.u8(type.results[0] as number);
    } else {
      this.#body.s32(this.#appendix.typeIndex(new Uint8Array(0), type.results));
    }
  }

  /** Takes the frame's words and traps when there are not enough. `trap` is the label to trap at. */
  #enter(trap: number): void {
    const body = this.#body;
    body.u8(op.globalGet);
    body.u32(this.#appendix.stack);
    body.u8(op.i32Const);
    body.s32(this.#words);
    body.raw(op.i32Sub, op.localTee);
    body.u32(this.#wordLocal);
    body.u8(op.globalSet);
    body.u32(this.#appendix.stack);
    body.u8(op.localGet);
    body.u32(this.#wordLocal);
    body.raw(op.i32Const, 0, op.i32LtS, op.brIf);
    body.u32(trap);
  }

  #leave(): void {
    const body = this.#body;
    body.u8(op.globalGet);
    body.u32(this.#appendix.stack);
    body.u8(op.i32Const);
    body.s32(this.#words);
    body.u8(op.i32Add);
    body.u8(op.globalSet);
    body.u32(this.#appendix.stack);
  }

  #writeInstructions(list: InstructionList): void {
    const { body, bytes } = { body: this.#body, bytes: this.#shape.bytes };
    this.#localLoop = -1;
    // Instructions that stay as they are wait here and are copied together.
    let from = 0;
    let to = 0;
    const flush = (): void => {
      body.copy(bytes, from, to);
      from = to;
    };
    for (let index = 0; index < list.count; index += 1) {
      const start = list.start[index] as number;
      if (start !== to || this.#hasBefore(list, index)) {
        flush();
        from = start;
        this.#writeBefore(list, index);
      }
      to = list.end[index] as number;
      const replaced = this.#replacement(list, index);
      if (replaced !== undefined) {
        to = start;
        flush();
        body.u8(replaced.code);
        body.u32(replaced.index);
        to = list.end[index] as number;
        from = to;
      }
      const action = this.#nans.actions[index] as number;
      const leaves = ((this.#stack.actions[index] as number) & stackAction.leaveAfter) !== 0;
      if (action !== 0 || leaves) {
        flush();
      }
      if (action !== 0) {
        this.#canonicalize(nanActions[action] as FloatShape);
      }
      if (leaves) {
        this.#leave();
      }
      if (list.op[index] === op.end && list.depth[index] === this.#localLoop + 1) {
        this.#localLoop = -1;
      }
    }
    flush();
  }

  #hasBefore(list: InstructionList, index: number): boolean {
    const code = list.op[index] as number;
    return (
      (this.#charges.charges[index] as number) > 0 ||
      ((this.#stack.actions[index] as number) & (stackAction.enterBefore | stackAction.leaveBefore)) !== 0 ||
      code === op.loop ||
      dynamicCosts[code] !== undefined
    );
  }

  #writeBefore(list: InstructionList, index: number): void {
    const code = list.op[index] as number;
    const depth = list.depth[index] as number;
    const action = this.#stack.actions[index] as number;
    const charge = this.#charges.charges[index] as number;
    const cost = dynamicCosts[code];
    if ((action & stackAction.leaveBefore) !== 0) {
      this.#leave();
    }
    if (charge > 0) {
      this.#readFuel();
      this.#body.u8(op.i64Const);
      this.#body.s32(charge);
      this.#body.u8(op.i64Sub);
      writeFuelCheck(this.#body, this.#appendix.fuel, this.#fuelLocal, depth);
    }
    if ((action & stackAction.enterBefore) !== 0) {
      this.#enter(depth);
    }
    if (code === op.loop && this.#localLoop === -1 && this.#charges.callFree[index] === 1 && this.#fuelLocal !== -1) {
      this.#readFuel();
      this.#body.u8(op.localSet);
      this.#body.u32(this.#fuelLocal);
      this.#localLoop = depth;
    }
    if (cost !== undefined) {
      this.#chargeOperand(cost, depth);
    }
  }

  /** The fuel that is left: inside a loop that calls nothing metered, its local is as good as the global. */
  #readFuel(): void {
    const local = this.#localLoop !== -1;
    this.#body.u8(local ? op.localGet : op.globalGet);
    this.#body.u32(local ? this.#fuelLocal : this.#appendix.fuel);
  }

  /** What stands for a use of an import, a return or memory.grow. */
  #replacement(list: InstructionList, index: number): { readonly code: number; readonly index: number } | undefined {
    const value = list.value[index] as number;
    switch (list.op[index]) {
      case op.call:
        return value < this.#shape.importedFunctions && this.#graph.isThunked(value)
          ? { code: op.call, index: this.#appendix.thunks + value }
          : undefined;
      case op.refFunc:
        return value < this.#shape.importedFunctions
          ? { code: op.refFunc, index: this.#appendix.thunks + value }
          : undefined;
      case op.return:
        return this.#stack.whole ? { code: op.br, index: (list.depth[index] as number) - 1 } : undefined;
      case op.memoryGrow:
        return { code: op.call, index: this.#appendix.grow };
      default:
        return undefined;
    }
  }

  /** Charges for the operand on top of the stack and leaves it there. */
  #chargeOperand(cost: DynamicCost, depth: number): void {
    const body = this.#body;
    body.u8(op.localSet);
    body.u32(this.#wordLocal);
    this.#readFuel();
    body.u8(op.localGet);
    body.u32(this.#wordLocal);
    body.u8(op.i64ExtendI32U);
    writeScale(body, cost);
    body.u8(op.i64Sub);
    writeFuelCheck(body, this.#appendix.fuel, this.#fuelLocal, depth);
    body.u8(op.localGet);
    body.u32(this.#wordLocal);
  }

  /** Makes the value on top of the stack, or every lane of it, the canonical NaN if it is any. */
  #canonicalize(shape: FloatShape): void {
    const body = this.#body;
    const local = this.#nanLocals.get(shape) as number;
    body.u8(op.localTee);
    body.u32(local);
    body.raw(...canonicalNan[shape]);
    body.u8(op.localGet);
    body.u32(local);
    body.u8(op.localGet);
    body.u32(local);
    body.raw(...keepNumbers[shape]);
  }
}

const f32Nan = [0, 0, 0xc0, 0x7f];
const f64Nan = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];

/** The instruction that pushes the canonical NaN. */
const canonicalNan: Readonly<Record<FloatShape, readonly number[]>> = {
  f32: [op.f32Const, ...f32Nan],
  f64: [op.f64Const, ...f64Nan],
  f32x4: [0xfd, 0x0c, ...f32Nan, ...f32Nan, ...f32Nan, ...f32Nan],
  f64x2: [0xfd, 0x0c, ...f64Nan, ...f64Nan],
};

/**
 * Of a value, the NaN, and the value twice: the value where it is as great as itself, which a NaN is not, else the NaN.
 * Engines test scalars for this with one jump, for equality with two.
 */
const keepNumbers: Readonly<Record<FloatShape, readonly number[]>> = {
  f32: [op.f32Ge, op.select],
  f64: [op.f64Ge, op.select],
  f32x4: [0xfd, 0x41, 0xfd, 0x52],
  f64x2: [0xfd, 0x47, 0xfd, 0x52],
};

/** `(x * multiply) >> shift` for the i64 on top of the stack. */
export function writeScale(out: ByteWriter, cost: DynamicCost): void {
  if (cost.multiply !== 1) {
    out.u8(op.i64Const);
    out.s32(cost.multiply);
    out.u8(op.i64Mul);
  }
  if (cost.shift !== 0) {
    out.u8(op.i64Const);
    out.s32(cost.shift);
    out.u8(op.i64ShrU);
  }
}
