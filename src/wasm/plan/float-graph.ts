import { grownInts } from "../decode/grow.js";
import type { FloatShape } from "../decode/opcode.js";

/** The values of one function that are no NaN, or always the canonical one. */
export const numberNode = 0;
/** The values whose bits the program fixes: parameters, loads, results of calls. */
export const fixedNode = 1;

/** Walks over the edges before the analysis gives up; two suffice where loops do not nest. */
const mostPasses = 6;

/** Bit of values whose bits the program fixes, in what can reach a node; the others are those of `shapeBit`. */
const fixedBit = 16;

/** Bit of arithmetic of a shape, in what can reach a node. */
export const shapeBit: Readonly<Record<FloatShape, number>> = { f32: 1, f64: 2, f32x4: 4, f64x2: 8 };

/**
 * How float values flow through one function. A node is the result of an arithmetic instruction, a place where control
 * joins, or one of the two above; an edge leads from a value to a join it arrives at.
 */
export class FloatGraph {
  nodes = 0;
  edges = 0;
  /** Arithmetic instruction of a node, -1 for a join. */
  #instruction = new Int32Array(256);
  #shape = new Uint8Array(256);
  #loops = new Int32Array(256);
  #reached = new Uint8Array(256);
  #wanted = new Uint8Array(256);
  #from = new Int32Array(1024);
  #to = new Int32Array(1024);

  clear(): void {
    this.nodes = 0;
    this.edges = 0;
    this.join(2);
  }

  /** `count` joins; returns the first one's number. */
  join(count: number): number {
    const first = this.nodes;
    for (let index = 0; index < count; index += 1) {
      this.#node(-1, 0, 0);
    }
    return first;
  }

  /** The result of an arithmetic instruction with `loops` loops around it. */
  arithmetic(instruction: number, shape: FloatShape, loops: number): number {
    this.#node(instruction, shapeBit[shape], loops);
    return this.nodes - 1;
  }

  #node(instruction: number, shape: number, loops: number): void {
    const node = this.nodes++;
    if (node === this.#instruction.length) {
      this.#instruction = grownInts(this.#instruction);
      this.#loops = grownInts(this.#loops);
      this.#shape = grownBytes(this.#shape);
      this.#reached = new Uint8Array(this.#shape.length);
      this.#wanted = new Uint8Array(this.#shape.length);
    }
    this.#instruction[node] = instruction;
    this.#shape[node] = shape;
    this.#loops[node] = loops;
  }

  edge(from: number, to: number): void {
    if (from === numberNode || from === to) {
      return;
    }
    if (this.edges === this.#from.length) {
      this.#from = grownInts(this.#from);
      this.#to = grownInts(this.#to);
    }
    this.#from[this.edges] = from;
    this.#to[this.edges] = to;
    this.edges += 1;
  }

  /** Finds what reaches every node, leaving out the arithmetic that is wanted canonical. False when it gave up. */
  spread(): boolean {
    for (let node = 0; node < this.nodes; node += 1) {
      this.#reached[node] = this.#wanted[node] === 1 ? 0 : (this.#shape[node] as number);
    }
    this.#reached[fixedNode] = fixedBit;
    return this.#settle((from, to) => {
      const both = (this.#reached[from] as number) | (this.#reached[to] as number);
      const loops = Math.max(this.#loops[from] as number, this.#loops[to] as number);
      const changed = both !== this.#reached[to] || loops !== this.#loops[to];
      this.#reached[to] = both;
      this.#loops[to] = loops;
      return changed;
    }, 1);
  }

  /** Takes the marks of `want` back to the arithmetic they mean. False when it gave up. */
  spreadWants(): boolean {
    return this.#settle((from, to) => {
      const changed = this.#wanted[to] === 1 && this.#wanted[from] === 0;
      if (changed) {
        this.#wanted[from] = 1;
      }
      return changed;
    }, -1);
  }

  /** Takes `along` over all edges, in the order they were made or the reverse, until nothing changes. */
  #settle(along: (from: number, to: number) => boolean, step: 1 | -1): boolean {
    for (let pass = 0; pass < mostPasses; pass += 1) {
      let changed = false;
      for (let edge = step === 1 ? 0 : this.edges - 1; edge >= 0 && edge < this.edges; edge += step) {
        changed = along(this.#from[edge] as number, this.#to[edge] as number) || changed;
      }
      if (!changed) {
        return true;
      }
    }
    return false;
  }

  forgetWants(): void {
    this.#wanted.fill(0, 0, this.nodes);
  }

  /** Asks for everything arithmetic that reaches a node to be canonical from the start. */
  want(node: number): void {
    this.#wanted[node] = 1;
  }

  isWanted(node: number): boolean {
    return this.#wanted[node] === 1;
  }

  /** Bits of the shapes whose arithmetic can reach a node. */
  arithmeticAt(node: number): number {
    return (this.#reached[node] as number) & ~fixedBit;
  }

  /** Can values reach a node whose bits must stay as they are? */
  isFixed(node: number): boolean {
    return ((this.#reached[node] as number) & fixedBit) !== 0;
  }

  /** Arithmetic instruction of a node, -1 for others. */
  instructionOf(node: number): number {
    return this.#instruction[node] as number;
  }

  /** Bit of the shape of an arithmetic node, 0 for others. */
  shapeOf(node: number): number {
    return this.#shape[node] as number;
  }

  /** Most loops around any arithmetic that reaches a node. */
  loopsOf(node: number): number {
    return this.#loops[node] as number;
  }
}

function grownBytes(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(array.length * 2);
  next.set(array);
  return next;
}
