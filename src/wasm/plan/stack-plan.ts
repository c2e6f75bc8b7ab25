import { endsBlock, type InstructionList } from "../decode/code.js";
import { op } from "../decode/opcodes.js";
import type { CallGraph } from "./call-graph.js";

/** Places in one function beyond which its whole body is one place. */
const mostPlaces = 4;

/** What the stack counter does beside an instruction. */
export const stackAction = { enterBefore: 1, leaveBefore: 2, leaveAfter: 4 } as const;

/**
 * Decides where a function takes its frame from the stack counter and gives it back (spec/sandbox.md, Stack): around
 * the basic block, or the outermost loop, of a call that leads back to the function; around the whole body where that
 * cannot be.
 */
export class StackPlanner {
  readonly #graph: CallGraph;
  /** Bits of `stackAction` by instruction. */
  actions = new Uint8Array(0);
  /** The whole body is one place. */
  whole = false;
  /** Number of places. */
  places = 0;

  constructor(graph: CallGraph) {
    this.#graph = graph;
  }

  /** Plans function `index`; the plan stays until the next call. */
  plan(index: number, list: InstructionList): void {
    if (this.actions.length < list.count) {
      this.actions = new Uint8Array(Math.max(list.count, this.actions.length * 2));
    }
    this.actions.fill(0, 0, list.count);
    this.whole = false;
    this.places = 0;
    for (let first = 0; first < list.count && !this.whole; ) {
      first = this.#planBlock(index, list, first);
    }
    if (this.whole) {
      this.actions.fill(0, 0, list.count);
      this.places = 1;
    }
  }

  /** Plans the basic block at `first`, with the loop that ends it if one does; returns the index behind it. */
  #planBlock(index: number, list: InstructionList, first: number): number {
    let last = first;
    let counted = false;
    for (; ; last += 1) {
      const code = list.op[last] as number;
      counted ||= this.#isCounted(index, list, last);
      if (endsBlock(code, list.value[last] as number)) {
        break;
      }
    }
    if (counted) {
      this.#place(first, last, stackAction.leaveBefore);
    }
    return list.op[last] === op.loop ? this.#planLoop(index, list, last) : last + 1;
  }

  #planLoop(index: number, list: InstructionList, first: number): number {
    const depth = list.depth[first] as number;
    let counted = false;
    let left = false;
    let last = first + 1;
    for (; list.op[last] !== op.end || list.depth[last] !== depth + 1; last += 1) {
      counted ||= this.#isCounted(index, list, last);
      left ||= leavesLoop(list, last, depth);
    }
    if (counted && left) {
      this.whole = true;
    } else if (counted) {
      this.#place(first, last, stackAction.leaveAfter);
    }
    return last + 1;
  }

  #isCounted(index: number, list: InstructionList, at: number): boolean {
    const code = list.op[at] as number;
    return (
      (code === op.call || code === op.callIndirect) && this.#graph.isCounted(index, code, list.value[at] as number)
    );
  }

  #place(first: number, last: number, leave: number): void {
    this.actions[first] = (this.actions[first] as number) | stackAction.enterBefore;
    this.actions[last] = (this.actions[last] as number) | leave;
    this.places += 1;
    this.whole ||= this.places > mostPlaces;
  }
}

/** Does an instruction inside the loop that began at `depth` jump out of it? */
function leavesLoop(list: InstructionList, at: number, depth: number): boolean {
  const within = (list.depth[at] as number) - 1 - depth;
  switch (list.op[at]) {
    case op.return:
      return true;
    case op.br:
    case op.brIf:
      return (list.value[at] as number) > within;
    case op.brTable: {
      const from = list.value[at] as number;
      return list.labels.subarray(from, from + (list.labelsOf[at] as number)).some((label) => label > within);
    }
    default:
      return false;
  }
}
