import { zeroConstant } from "./pools.js";
import type { BlockNode, FuncType, Immediate, Node, Types, ValueType } from "./tree.js";

/** How a loop is kept from running for ever. */
export type LoopBound =
  /** The header takes a step and leaves the function when there is none left. */
  | { readonly kind: "header" }
  /** Every branch back takes a step. */
  | { readonly kind: "edge" }
  /** Every branch back counts down a local of this index. */
  | { readonly kind: "counted"; readonly local: number };

/** What a branch to a label takes along; `bound` is null where it leads forwards. */
export type Label = { readonly types: Types; readonly bound: LoopBound | null };

/** An unsigned LEB128 immediate. */
export function at(value: number): Immediate {
  return { kind: "index", value };
}

/** Bytes written as they are. */
export function bytes(...value: readonly number[]): Immediate {
  return { kind: "bytes", value };
}

/** A body under construction: operand types, labels, and the nodes of the sequence that is being written. */
export class Scope {
  readonly locals: ValueType[];
  readonly params: number;
  readonly results: Types;
  readonly labels: Label[] = [];
  /** Locals that count loops: nothing else may write them. */
  readonly reserved = new Set<number>();
  stack: ValueType[] = [];
  dead = false;
  /** Nodes still to be spent. */
  budget: number;
  #out: Node[] = [];

  constructor(type: FuncType, locals: Types, budget: number) {
    this.params = type.params.length;
    this.locals = [...type.params, ...locals];
    this.results = type.results;
    this.budget = budget;
  }

  emit(name: string, immediates: readonly Immediate[], params: Types, results: Types): void {
    this.#out.push({ kind: "plain", name, immediates, before: this.#before() });
    this.#move(params, results);
  }

  #before(): { stack: Types; dead: boolean } {
    this.budget -= 1;
    return { stack: [...this.stack], dead: this.dead };
  }

  /** Does an instruction with these operands fit here as it is? In dead code what is missing may be anything. */
  offers(params: Types): boolean {
    const present = Math.min(params.length, this.stack.length);
    if (present < params.length && !this.dead) {
      return false;
    }
    for (let index = 1; index <= present; index += 1) {
      if (this.stack.at(-index) !== params.at(-index)) {
        return false;
      }
    }
    return true;
  }

  #move(params: Types, results: Types): void {
    if (!this.offers(params)) {
      throw new TypeError(`operands ${params.join(" ")} on ${this.stack.join(" ")}`);
    }
    this.stack.length = Math.max(0, this.stack.length - params.length);
    this.stack.push(...results);
  }

  /** After an unconditional branch. */
  die(): void {
    this.stack = [];
    this.dead = true;
  }

  /** Writes a block whose parts are written by `body` and `otherwise`. */
  block(
    name: BlockNode["name"],
    type: FuncType,
    label: Label,
    body: () => void,
    otherwise: (() => void) | null = null,
  ): void {
    const before = this.#before();
    this.#move(name === "if" ? [...type.params, "i32"] : type.params, type.results);
    this.labels.push(label);
    const inner = this.#sequence(type.params, body);
    const other = otherwise === null ? null : this.#sequence(type.params, otherwise);
    this.labels.pop();
    this.#out.push({ kind: "block", name, type, body: inner, otherwise: other, before });
  }

  #sequence(params: Types, write: () => void): Node[] {
    const { stack, dead } = this;
    const out = this.#out;
    this.#out = [];
    this.stack = [...params];
    this.dead = false;
    write();
    const nodes = this.#out;
    this.#out = out;
    this.stack = stack;
    this.dead = dead;
    return nodes;
  }

  /** The function's own sequence. */
  whole(write: () => void): Node[] {
    this.labels.push({ types: this.results, bound: null });
    const nodes = this.#sequence([], write);
    this.labels.pop();
    return nodes;
  }

  /** Label `depth` counted from within. */
  label(depth: number): Label {
    const label = this.labels.at(-1 - depth);
    if (label === undefined) {
      throw new RangeError(`no label ${depth}`);
    }
    return label;
  }

  i32(value: number): void {
    this.emit("i32.const", [{ kind: "i32", value }], [], ["i32"]);
  }

  /** Instructions without immediates on i32 operands. */
  i32Op(name: string, params: number, results = 1): void {
    const of = (count: number): Types => new Array<ValueType>(count).fill("i32");
    this.emit(name, [], of(params), of(results));
  }

  getLocal(index: number): void {
    this.emit("local.get", [at(index)], [], [this.locals[index] as ValueType]);
  }

  setLocal(index: number): void {
    this.emit("local.set", [at(index)], [this.locals[index] as ValueType], []);
  }

  teeLocal(index: number): void {
    const type = this.locals[index] as ValueType;
    this.emit("local.tee", [at(index)], [type], [type]);
  }

  /** A new local that only its loop uses. */
  addCounter(): number {
    const index = this.locals.length;
    this.locals.push("i32");
    this.reserved.add(index);
    return index;
  }

  zeros(types: Types): void {
    for (const type of types) {
      const [name, immediates] = zeroConstant(type);
      this.emit(name, immediates, [], [type]);
    }
  }

  /** Takes a step; leaves a 1 when there is one left, else a 0. Global 0 counts. */
  step(): void {
    this.emit("global.get", [at(0)], [], ["i32"]);
    this.i32(1);
    this.i32Op("i32.sub", 2);
    this.emit("global.set", [at(0)], ["i32"], []);
    this.emit("global.get", [at(0)], [], ["i32"]);
    this.i32(0);
    this.i32Op("i32.gt_s", 2);
  }

  /** Counts a local down; leaves a 1 while it is above zero, else a 0. */
  countDown(local: number): void {
    this.getLocal(local);
    this.i32(1);
    this.i32Op("i32.sub", 2);
    this.teeLocal(local);
    this.i32(0);
    this.i32Op("i32.gt_s", 2);
  }

  /** Leaves the function, unless the i32 on top is set. */
  leaveUnless(trap: boolean): void {
    this.i32Op("i32.eqz", 1);
    this.block("if", { params: [], results: [] }, { types: [], bound: null }, () => {
      if (trap) {
        this.emit("unreachable", [], [], []);
      } else {
        this.zeros(this.results);
        this.emit("return", [], this.results, []);
      }
      this.die();
    });
  }
}
