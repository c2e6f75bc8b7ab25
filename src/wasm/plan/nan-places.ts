import type { FloatShape } from "../decode/opcode.js";
import { type FloatGraph, fixedNode, shapeBit } from "./float-graph.js";

/** What to do after an instruction: make the value on top of the stack the canonical NaN if it is any. */
export const nanActions: readonly (FloatShape | undefined)[] = [undefined, "f32", "f64", "f32x4", "f64x2"];

/** Action by the bit of the one shape that arrives. */
const actionOf = new Uint8Array(16);
for (const [action, shape] of nanActions.entries()) {
  if (shape !== undefined) {
    actionOf[shapeBit[shape]] = action;
  }
}

/** Numbers that one place takes in the list. */
const size = 4;

/** The places in one function where bits of floats come to light. */
export class NanPlaces {
  /** Node, pusher, loops around, and the bit of the shape whose NaNs are as good as any; 0 for none. */
  readonly #places: number[] = [];

  clear(): void {
    this.#places.length = 0;
  }

  /** The bits of `node` come to light; `pusher` and `but` as in FloatFlow. */
  add(node: number, pusher: number, loops: number, but: number): void {
    if (node > fixedNode) {
      this.#places.push(node, pusher, loops, but);
    }
  }

  /**
   * Notes the actions: at the source where fixed bits or another shape mix in, or where it pays; otherwise where the
   * bits come to light. False when following the edges took too many passes.
   */
  decide(graph: FloatGraph, actions: Uint8Array): boolean {
    graph.forgetWants();
    if (!graph.spread()) {
      return false;
    }
    this.#wantSources(graph);
    if (!graph.spreadWants() || !graph.spread()) {
      return false;
    }
    for (let node = 0; node < graph.nodes; node += 1) {
      if (graph.shapeOf(node) !== 0 && graph.isWanted(node)) {
        actions[graph.instructionOf(node)] = actionOf[graph.shapeOf(node)] as number;
      }
    }
    for (let at = 0; at < this.#places.length; at += size) {
      const shapes = graph.arithmeticAt(this.#places[at] as number) & ~(this.#places[at + 3] as number);
      if (shapes !== 0) {
        actions[this.#places[at + 1] as number] = actionOf[shapes] as number;
      }
    }
    return true;
  }

  #wantSources(graph: FloatGraph): void {
    const uses = this.#countUses();
    for (let at = 0; at < this.#places.length; at += size) {
      const node = this.#places[at] as number;
      const shapes = graph.arithmeticAt(node) & ~(this.#places[at + 3] as number);
      const deeper = (this.#places[at + 2] as number) - graph.loopsOf(node);
      const repeated = deeper > 0 || (deeper === 0 && graph.shapeOf(node) !== 0 && (uses.get(node) as number) > 1);
      const mixed = graph.isFixed(node) || graph.arithmeticAt(node) !== (shapes & -shapes);
      if (shapes !== 0 && (mixed || this.#places[at + 1] === -1 || repeated)) {
        graph.want(node);
      }
    }
  }

  #countUses(): Map<number, number> {
    const uses = new Map<number, number>();
    for (let at = 0; at < this.#places.length; at += size) {
      const node = this.#places[at] as number;
      uses.set(node, (uses.get(node) ?? 0) + 1);
    }
    return uses;
  }
}
