import type { BodyFacts, InstructionList } from "../decode/code.js";
import { grownInts } from "../decode/grow.js";
import { blockTypeOf } from "../decode/immediates.js";
import type { FloatShape } from "../decode/opcode.js";
import { op, opcodeByCode, opcodeSpace } from "../decode/opcodes.js";
import { type FuncType, type ModuleShape, typeOfFunction } from "../decode/shape.js";
import { FloatGraph, fixedNode, numberNode, shapeBit } from "./float-graph.js";
import { FloatLocals } from "./float-locals.js";
import { NanPlaces } from "./nan-places.js";

/** Steps a function may take for every instruction, and beyond that, before it is not analysed. */
const stepsPerInstruction = 64;
const stepsAtLeast = 4096;

/** Steps no function may go beyond: bounds the memory of the graph. */
const stepsAtMost = 4_000_000;

/** Steps for a whole module, for every byte and beyond that: keeps the time linear. */
const stepsPerByte = 8;
const moduleSteps = 1_000_000;

/** What an instruction pushes: a node of the graph, or the result of arithmetic of a shape. */
const pushed: readonly (number | FloatShape)[] = Array.from({ length: opcodeSpace }, (_, code) => {
  const opcode = opcodeByCode[code];
  if (opcode?.nan !== undefined) {
    return opcode.nan;
  }
  const fixed = code === op.globalGet || code >= 0x200 || /^f\d/.test(opcode?.name ?? "");
  return fixed && opcode?.number !== true ? fixedNode : numberNode;
});

/** An open block. `join` is the first of the joins at its label, -1 while nothing branches there. */
type Frame = {
  op: number;
  /** Operands below its parameters. */
  readonly base: number;
  readonly type: FuncType;
  join: number;
  /** State at an `if`, for its `else`: locals, then parameters, then what pushed these. */
  readonly saved: Int32Array | undefined;
};

/**
 * Follows the float values of one function to the places where their bits come to light: stores, reinterpretations,
 * sign changes, calls, returns, globals, vector lanes (spec/sandbox.md, NaN).
 */
export class FloatFlow {
  readonly #shape: ModuleShape;
  readonly #graph = new FloatGraph();
  readonly #locals = new FloatLocals();
  readonly #frames: Frame[] = [];
  #moduleSteps: number;
  #steps = 0;
  /** Operands: node, and the instruction after which the value is on top of the stack, -1 if there is none. */
  #nodes = new Int32Array(1024);
  #pushers = new Int32Array(1024);
  #height = 0;
  #loops = 0;
  #dead = false;
  readonly #places = new NanPlaces();

  constructor(shape: ModuleShape) {
    this.#shape = shape;
    this.#moduleSteps = moduleSteps + stepsPerByte * shape.bytes.length;
  }

  /** Notes in `actions` where NaNs are made canonical. False when that would take too long to find out. */
  plan(type: FuncType, list: InstructionList, facts: BodyFacts, actions: Uint8Array): boolean {
    const most = Math.min(stepsAtLeast + stepsPerInstruction * list.count, stepsAtMost, this.#moduleSteps);
    this.#graph.clear();
    this.#locals.reset(this.#shape.bytes, type, list, facts);
    this.#places.clear();
    this.#frames.length = 0;
    this.#height = 0;
    this.#loops = 0;
    this.#steps = 0;
    this.#dead = false;
    this.#frames.push({ op: op.block, base: 0, type, join: -1, saved: undefined });
    for (let at = 0; at < list.count && this.#steps <= most; at += 1) {
      this.#step(list, at);
    }
    this.#moduleSteps -= Math.min(this.#steps, most);
    return this.#steps <= most && this.#places.decide(this.#graph, actions);
  }

  #push(node: number, pusher: number): void {
    if (this.#height === this.#nodes.length) {
      this.#nodes = grownInts(this.#nodes);
      this.#pushers = grownInts(this.#pushers);
    }
    this.#nodes[this.#height] = node;
    this.#pushers[this.#height] = pusher;
    this.#height += 1;
  }

  #pop(): number {
    this.#height -= 1;
    return this.#nodes[this.#height] as number;
  }

  /** The bits of the topmost `count` operands come to light, apart from which NaN a NaN of a shape is. */
  #observe(count: number, but = 0): void {
    for (let at = this.#height - count; at < this.#height; at += 1) {
      this.#places.add(this.#nodes[at] as number, this.#pushers[at] as number, this.#loops, but);
    }
  }

  #step(list: InstructionList, at: number): void {
    const code = list.op[at] as number;
    const value = list.value[at] as number;
    switch (code) {
      case op.localGet:
        this.#push(this.#locals.get(value), at);
        return;
      case op.localSet:
        this.#locals.set(value, this.#pop());
        return;
      case op.localTee:
        this.#locals.set(value, this.#nodes[this.#height - 1] as number);
        this.#pushers[this.#height - 1] = at;
        return;
      case op.f32Abs:
      case op.f64Abs:
        // The absolute value of either NaN is the positive one: what made it canonical before does so after.
        this.#pushers[this.#height - 1] = at;
        return;
      case op.f32Const:
      case op.f64Const:
      case op.v128Const:
        this.#push(isNanConstant(this.#shape.bytes, list, at) ? fixedNode : numberNode, at);
        return;
      case op.globalSet:
        this.#observe(1);
        this.#height -= 1;
        return;
      case op.select:
      case op.selectTyped:
        this.#select(at);
        return;
      case op.call:
      case op.callIndirect:
        this.#call(code, value, at);
        return;
      default:
        if (!this.#control(list, at)) {
          this.#operate(code, at);
        }
    }
  }

  #operate(code: number, at: number): void {
    const opcode = opcodeByCode[code];
    this.#observe(opcode?.observes ?? 0, opcode?.takes === undefined ? 0 : shapeBit[opcode.takes]);
    this.#height -= opcode?.pops ?? 0;
    if (opcode?.pushes === 1) {
      const node = pushed[code] as number | FloatShape;
      this.#push(typeof node === "number" ? node : this.#graph.arithmetic(at, node, this.#loops), at);
    }
  }

  #select(at: number): void {
    this.#height -= 1;
    const second = this.#pop();
    const first = this.#pop();
    let node = first;
    if (first !== second) {
      node = this.#graph.join(1);
      this.#graph.edge(first, node);
      this.#graph.edge(second, node);
    }
    this.#push(node, at);
  }

  #call(code: number, value: number, at: number): void {
    const type = code === op.call ? typeOfFunction(this.#shape, value) : this.#shape.types[value];
    this.#height -= code === op.callIndirect ? 1 : 0;
    this.#observe(type?.params.length ?? 0);
    this.#height -= type?.params.length ?? 0;
    for (let left = type?.results.length ?? 0; left > 0; left -= 1) {
      this.#push(fixedNode, at);
    }
  }

  /** True when the instruction was one of control. */
  #control(list: InstructionList, at: number): boolean {
    const value = list.value[at] as number;
    switch (list.op[at]) {
      case op.block:
      case op.loop:
      case op.if:
        this.#open(list.op[at] as number, blockTypeOf(this.#shape, value));
        return true;
      case op.else:
        this.#else();
        return true;
      case op.end:
        this.#end(at);
        return true;
      case op.br:
        this.#branch(value);
        this.#dead = true;
        return true;
      case op.brIf:
        this.#height -= 1;
        this.#branch(value);
        return true;
      case op.brTable:
        this.#height -= 1;
        for (let label = 0; label < (list.labelsOf[at] as number); label += 1) {
          this.#branch(list.labels[value + label] as number);
        }
        this.#dead = true;
        return true;
      case op.return:
        this.#branch(this.#frames.length - 1);
        this.#dead = true;
        return true;
      case op.unreachable:
        this.#dead = true;
        return true;
      default:
        return false;
    }
  }

  #open(code: number, type: FuncType): void {
    this.#height -= code === op.if ? 1 : 0;
    const base = this.#height - type.params.length;
    const saved = code === op.if ? this.#save(type.params.length) : undefined;
    const frame: Frame = { op: code, base, type, join: -1, saved };
    this.#frames.push(frame);
    if (code === op.loop) {
      this.#flow(frame, type.params.length);
      this.#enter(frame, type.params.length, -1);
      this.#loops += 1;
    }
  }

  #save(params: number): Int32Array {
    const { nodes, count } = this.#locals;
    const saved = new Int32Array(count + 2 * params);
    saved.set(nodes.subarray(0, count));
    saved.set(this.#nodes.subarray(this.#height - params, this.#height), count);
    saved.set(this.#pushers.subarray(this.#height - params, this.#height), count + params);
    this.#steps += count + 2 * params;
    return saved;
  }

  /** Brings back the state at an `if`. */
  #restore({ base, type, saved }: Frame): void {
    const { nodes, count } = this.#locals;
    const params = type.params.length;
    if (saved !== undefined) {
      nodes.set(saved.subarray(0, count));
      this.#nodes.set(saved.subarray(count, count + params), base);
      this.#pushers.set(saved.subarray(count + params), base);
    }
    this.#height = base + params;
    this.#steps += count + params;
  }

  #else(): void {
    const frame = this.#frames[this.#frames.length - 1] as Frame;
    if (!this.#dead) {
      this.#flow(frame, frame.type.results.length);
    }
    frame.op = op.else;
    this.#restore(frame);
    this.#dead = false;
  }

  #end(at: number): void {
    const frame = this.#frames.pop() as Frame;
    const results = frame.type.results.length;
    if (this.#frames.length === 0) {
      this.#observe(this.#dead ? 0 : results);
      return;
    }
    if (frame.op === op.loop) {
      this.#loops -= 1;
    } else {
      if (!this.#dead && (frame.join >= 0 || frame.op === op.if)) {
        this.#flow(frame, results);
      }
      if (frame.op === op.if) {
        // Without an else the parameters are the results.
        this.#restore(frame);
        this.#flow(frame, results);
      }
      if (frame.join >= 0) {
        this.#height = frame.base + results;
        this.#enter(frame, results, results === 1 ? at : -1);
        this.#dead = false;
        return;
      }
    }
    if (this.#dead) {
      // Nothing arrives here; what follows is never run.
      this.#height = frame.base;
      for (let left = results; left > 0; left -= 1) {
        this.#push(fixedNode, -1);
      }
      this.#dead = false;
    }
  }

  #branch(label: number): void {
    const target = this.#frames.length - 1 - label;
    const frame = this.#frames[target] as Frame;
    if (target === 0) {
      this.#observe(frame.type.results.length);
    } else {
      this.#flow(frame, frame.op === op.loop ? frame.type.params.length : frame.type.results.length);
    }
  }

  /** Locals and the topmost operands arrive at a label. */
  #flow(frame: Frame, operands: number): void {
    const { nodes, count } = this.#locals;
    if (frame.join < 0) {
      frame.join = this.#graph.join(count + operands);
    }
    for (let local = 0; local < count; local += 1) {
      this.#graph.edge(nodes[local] as number, frame.join + local);
    }
    for (let operand = 0; operand < operands; operand += 1) {
      const node = this.#nodes[this.#height - operands + operand] as number;
      this.#graph.edge(node, frame.join + count + operand);
    }
    this.#steps += 1 + count + operands;
  }

  /** From here on locals and the topmost operands are what arrived at a label. */
  #enter(frame: Frame, operands: number, pusher: number): void {
    const { nodes, count } = this.#locals;
    for (let local = 0; local < count; local += 1) {
      nodes[local] = frame.join + local;
    }
    for (let operand = 0; operand < operands; operand += 1) {
      this.#nodes[this.#height - operands + operand] = frame.join + count + operand;
      this.#pushers[this.#height - operands + operand] = pusher;
    }
    this.#steps += count + operands;
  }
}

/** True for a constant that is a NaN, or a vector with one in a lane: an f64 that is one has one in its upper half. */
function isNanConstant(bytes: Uint8Array, list: InstructionList, at: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const end = list.end[at] as number;
  if (list.op[at] === op.f64Const) {
    return Number.isNaN(view.getFloat64(end - 8, true));
  }
  const lanes = list.op[at] === op.f32Const ? [4] : [4, 8, 12, 16];
  return lanes.some((back) => Number.isNaN(view.getFloat32(end - back, true)));
}
