import { ChargePlanner } from "./charges.js";
import type { BodyFacts, InstructionList } from "./code.js";
import { type DynamicCost, readFuelTable } from "./fuel.js";
import { op, opcodeByCode, opcodeSpace } from "./opcodes.js";
import type { FuncType, ModuleShape } from "./shape.js";
import { ByteWriter } from "./writer.js";

const emptyBlock = 0x40;
const typeByte = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const;
/** Words of a frame beyond parameters, locals and operands: the engine's own. */
const frameBaseWords = 8;
/** A function that calls nothing is the last frame of any stack; up to this size it goes uncounted. */
const leafWords = 64;

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

/**
 * Frame size of a function, in 8-byte words. Parameters count twice, since the caller passes them on the stack
 * and the function keeps its own copies, and results once, since the caller keeps room for them.
 */
export function frameWords(facts: BodyFacts): number {
  return frameBaseWords + 2 * facts.params + facts.results + facts.locals + facts.height;
}

const dynamicCosts: readonly (DynamicCost | undefined)[] = Array.from({ length: opcodeSpace }, (_, code) => {
  const name = opcodeByCode[code]?.name ?? "";
  const costs = readFuelTable().dynamic;
  return code !== op.memoryGrow && Object.hasOwn(costs, name) ? costs[name] : undefined;
});

const nanTypes: readonly ("f32" | "f64" | undefined)[] = Array.from(
  { length: opcodeSpace },
  (_, code) => opcodeByCode[code]?.nan,
);

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
  readonly #planner = new ChargePlanner();
  readonly #body = new ByteWriter(4096);
  // Scratch locals of the present function.
  #fuelLocal = 0;
  #wordLocal = 0;
  #f32Local = 0;
  #f64Local = 0;

  constructor(shape: ModuleShape, appendix: Appendix) {
    this.#shape = shape;
    this.#appendix = appendix;
  }

  /** Meters one function and returns its body; the writer is used again by the next call. */
  meter(type: FuncType, list: InstructionList, facts: BodyFacts): ByteWriter {
    const body = this.#body;
    body.clear();
    const counted = facts.calls || frameWords(facts) > leafWords;
    this.#writeLocals(list, facts, counted);
    body.raw(op.block, emptyBlock, op.block);
    this.#writeResultType(type);
    if (counted) {
      this.#enter(frameWords(facts));
    }
    this.#writeInstructions(list, this.#planner.plan(list, facts));
    if (counted) {
      this.#leave(frameWords(facts));
    }
    body.raw(op.return, op.end, op.unreachable, op.end);
    return body;
  }

  /** Declares the original locals and the scratch ones that this function needs. */
  #writeLocals(list: InstructionList, facts: BodyFacts, counted: boolean): void {
    let word = counted;
    let f32 = false;
    let f64 = false;
    for (let index = 0; index < list.count; index += 1) {
      const code = list.op[index] as number;
      word ||= dynamicCosts[code] !== undefined;
      f32 ||= nanTypes[code] === "f32";
      f64 ||= nanTypes[code] === "f64";
    }
    const body = this.#body;
    body.u32(facts.groups + 1 + Number(word) + Number(f32) + Number(f64));
    body.copy(this.#shape.bytes, facts.groupsStart, facts.groupsEnd);
    let next = facts.params + facts.locals;
    const declare = (type: number): number => {
      body.raw(1, type);
      return next++;
    };
    this.#fuelLocal = declare(typeByte.i64);
    this.#wordLocal = word ? declare(typeByte.i32) : 0;
    this.#f32Local = f32 ? declare(typeByte.f32) : 0;
    this.#f64Local = f64 ? declare(typeByte.f64) : 0;
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

  /** Takes the frame's words and traps when there are not enough. */
  #enter(words: number): void {
    const body = this.#body;
    body.u8(op.globalGet);
    body.u32(this.#appendix.stack);
    body.u8(op.i32Const);
    body.s32(words);
    body.raw(op.i32Sub, op.localTee);
    body.u32(this.#wordLocal);
    body.u8(op.globalSet);
    body.u32(this.#appendix.stack);
    body.u8(op.localGet);
    body.u32(this.#wordLocal);
    body.raw(op.i32Const, 0, op.i32LtS, op.brIf, 1);
  }

  #leave(words: number): void {
    const body = this.#body;
    body.u8(op.globalGet);
    body.u32(this.#appendix.stack);
    body.u8(op.i32Const);
    body.s32(words);
    body.u8(op.i32Add);
    body.u8(op.globalSet);
    body.u32(this.#appendix.stack);
  }

  #writeInstructions(list: InstructionList, plan: Int32Array): void {
    const { body, bytes, imported } = {
      body: this.#body,
      bytes: this.#shape.bytes,
      imported: this.#shape.importedFunctions,
    };
    // Instructions that stay as they are wait here and are copied together.
    let from = 0;
    let to = 0;
    const flush = (): void => {
      body.copy(bytes, from, to);
      from = to;
    };
    for (let index = 0; index < list.count; index += 1) {
      const code = list.op[index] as number;
      const start = list.start[index] as number;
      const end = list.end[index] as number;
      const depth = list.depth[index] as number;
      const charge = plan[index] as number;
      const cost = dynamicCosts[code];
      const redirected = (code === op.call || code === op.refFunc) && (list.value[index] as number) < imported;
      if (start !== to || charge > 0 || cost !== undefined) {
        flush();
        from = start;
        to = start;
      }
      if (charge > 0) {
        writeFuelDebit(body, this.#appendix.fuel, charge);
        writeFuelCheck(body, this.#appendix.fuel, this.#fuelLocal, depth);
      }
      if (cost !== undefined) {
        this.#chargeOperand(cost, depth);
      }
      if (redirected || code === op.return || code === op.memoryGrow) {
        flush();
        this.#replace(code, list.value[index] as number, depth);
        from = end;
      }
      to = end;
      const nan = nanTypes[code];
      if (nan !== undefined) {
        flush();
        this.#canonicalize(nan);
      }
    }
    flush();
  }

  /** Writes what stands for a call of an import, a return or memory.grow. */
  #replace(code: number, value: number, depth: number): void {
    if (code === op.return) {
      this.#body.u8(op.br);
      this.#body.u32(depth - 1);
      return;
    }
    this.#body.u8(code === op.memoryGrow ? op.call : code);
    this.#body.u32(code === op.memoryGrow ? this.#appendix.grow : this.#appendix.thunks + value);
  }

  /** Charges for the operand on top of the stack and leaves it there. */
  #chargeOperand(cost: DynamicCost, depth: number): void {
    const body = this.#body;
    body.u8(op.localSet);
    body.u32(this.#wordLocal);
    body.u8(op.globalGet);
    body.u32(this.#appendix.fuel);
    body.u8(op.localGet);
    body.u32(this.#wordLocal);
    body.u8(op.i64ExtendI32U);
    writeScale(body, cost);
    body.u8(op.i64Sub);
    writeFuelCheck(body, this.#appendix.fuel, this.#fuelLocal, depth);
    body.u8(op.localGet);
    body.u32(this.#wordLocal);
  }

  /** Makes the float on top of the stack the canonical NaN if it is any. */
  #canonicalize(type: "f32" | "f64"): void {
    const body = this.#body;
    const local = type === "f32" ? this.#f32Local : this.#f64Local;
    body.u8(op.localTee);
    body.u32(local);
    if (type === "f32") {
      body.raw(op.f32Const, 0, 0, 0xc0, 0x7f);
    } else {
      body.raw(op.f64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f);
    }
    body.u8(op.localGet);
    body.u32(local);
    body.u8(op.localGet);
    body.u32(local);
    body.raw(type === "f32" ? op.f32Eq : op.f64Eq, op.select);
  }
}

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
