import { type BodyFacts, endsBlock, type InstructionList } from "../decode/code.js";
import { grownInts } from "../decode/grow.js";
import { op, opcodeSpace, opcodes } from "../decode/opcodes.js";
import { type FuelTable, readFuelTable } from "../fuel.js";
import type { CallGraph } from "./call-graph.js";
import { CostMap } from "./cost-map.js";

const table: FuelTable = readFuelTable();

/** Static cost by opcode code. */
const costs = new Int32Array(opcodeSpace);
for (const { code, name } of opcodes) {
  costs[code] = Object.hasOwn(table.instructions, name) ? (table.instructions[name] as number) : table.instruction;
}

/**
 * Who pays for a function's first instructions: `own`, itself; `caller`, whoever calls it, up to `most`; `callers`,
 * whoever calls it, all of it.
 */
export type Entry =
  | { readonly kind: "own" }
  | { readonly kind: "caller"; readonly most: number }
  | { readonly kind: "callers" };

/** An open block. `label` gathers what arrives at its end; `saved` is the state before its `if` or `loop`. */
type Frame = { op: number; at: number; metered: number; readonly label: CostMap; readonly saved: CostMap };

/** A basic block that costs more is charged in pieces, so that no charge comes near 2^31. */
const mostAtOnce = 1_000_000;

/** The charge point at a function's entry. */
const entryPoint = 0;

/**
 * Decides where a function is charged and how much (spec/sandbox.md, Fuel). A charge point pays for the longest path
 * from it to wherever nothing more is paid from it: so every instruction is paid for before it runs, on every path.
 */
export class ChargePlanner {
  readonly #graph: CallGraph;
  /** Fuel to charge just before an instruction; 0 where nothing is charged. */
  charges = new Int32Array(0);
  /** By index of a `loop`: 1 when nothing inside calls what is metered. */
  callFree = new Uint8Array(0);
  readonly #frames: Frame[] = [];
  #open = 0;
  /** Frames that are loops, outermost first. */
  readonly #loops: number[] = [];
  readonly #now = new CostMap();
  #totals = new Int32Array(64);
  #places = new Int32Array(64);
  #points = 0;
  #metered = 0;

  constructor(graph: CallGraph) {
    this.#graph = graph;
  }

  /**
   * Plans one function; `charges` and `callFree` hold the plan until the next call. Returns what callers have to pay:
   * nothing for a function that pays for itself.
   */
  plan(list: InstructionList, facts: BodyFacts, entry: Entry): number {
    this.#reset(list.count);
    this.#startPoint(0);
    this.#charge(Math.floor(facts.locals / table.localsPerUnit));
    for (let first = 0; first < list.count; ) {
      first = this.#planBlock(list, first, entry);
    }
    const paid = entry.kind === "own" ? 0 : (this.#totals[entryPoint] as number);
    for (let point = entry.kind === "own" ? 0 : 1; point < this.#points; point += 1) {
      this.charges[this.#places[point] as number] = this.#totals[point] as number;
    }
    return paid;
  }

  #reset(count: number): void {
    if (this.charges.length < count) {
      this.charges = new Int32Array(Math.max(count, this.charges.length * 2));
      this.callFree = new Uint8Array(this.charges.length);
    }
    this.charges.fill(0, 0, count);
    this.#points = 0;
    this.#metered = 0;
    this.#open = 0;
    this.#loops.length = 0;
    this.#now.clear();
    this.#push(op.block, 0);
  }

  /** Plans the basic block that begins at `first`; returns the index behind it. */
  #planBlock(list: InstructionList, first: number, entry: Entry): number {
    let cost = 0;
    let metered = false;
    let last = first;
    for (; ; last += 1) {
      const code = list.op[last] as number;
      const value = list.value[last] as number;
      cost += costs[code] as number;
      if (code === op.call || code === op.callIndirect) {
        cost += this.#graph.costOf(code, value);
        metered ||= this.#graph.isMetered(code, value);
      } else if (code === op.memoryGrow) {
        metered = true;
      } else if (code === op.brTable) {
        cost += Math.floor(((list.labelsOf[last] as number) - 1) / table.labelsPerUnit);
      }
      if (endsBlock(code, value) || cost > mostAtOnce) {
        break;
      }
    }
    this.#metered += Number(metered);
    if (this.#needsPoint(first, cost, metered, entry)) {
      this.#startPoint(first);
    }
    this.#charge(cost);
    for (let index = first; index <= last; index += 1) {
      this.#follow(list, index);
    }
    return last + 1;
  }

  #needsPoint(first: number, cost: number, metered: boolean, entry: Entry): boolean {
    const now = this.#now;
    if (entry.kind === "callers") {
      return false;
    }
    if (now.dead || now.full) {
      return true;
    }
    const paid = entry.kind === "caller" ? now.costOf(entryPoint) : -1;
    if (paid >= 0 && (metered || (entry.kind === "caller" && paid + cost > entry.most))) {
      return true;
    }
    const point = this.#points - 1;
    const fresh =
      this.#places[point] === first && now.isOnly(point) && !(entry.kind === "caller" && point === entryPoint);
    return !fresh && (cost > table.plan.block || now.greatest() > table.plan.path);
  }

  #startPoint(at: number): void {
    if (this.#points === this.#totals.length) {
      this.#totals = grownInts(this.#totals);
      this.#places = grownInts(this.#places);
    }
    this.#totals[this.#points] = 0;
    this.#places[this.#points] = at;
    this.#now.start(this.#points);
    this.#points += 1;
  }

  #charge(cost: number): void {
    this.#now.add(cost, this.#totals);
  }

  #push(code: number, at: number): Frame {
    this.#frames[this.#open] ??= { op: 0, at: 0, metered: 0, label: new CostMap(), saved: new CostMap() };
    const frame = this.#frames[this.#open] as Frame;
    this.#open += 1;
    frame.op = code;
    frame.at = at;
    frame.metered = this.#metered;
    frame.label.clear();
    return frame;
  }

  /** Takes the state through one instruction. */
  #follow(list: InstructionList, index: number): void {
    const now = this.#now;
    switch (list.op[index]) {
      case op.block:
        this.#push(op.block, index);
        return;
      case op.if:
        this.#push(op.if, index).saved.copy(now);
        return;
      case op.loop:
        this.#loops.push(this.#open);
        this.#push(op.loop, index).saved.copy(now);
        this.#startPoint(index + 1);
        this.#charge(table.loopHeader);
        return;
      case op.else: {
        const frame = this.#frames[this.#open - 1] as Frame;
        frame.op = op.else;
        frame.label.merge(now);
        now.copy(frame.saved);
        return;
      }
      case op.end:
        this.#close();
        return;
      case op.br:
        this.#branch(list.value[index] as number);
        now.clear();
        return;
      case op.brIf:
        this.#branch(list.value[index] as number);
        return;
      case op.brTable:
        for (let label = 0; label < (list.labelsOf[index] as number); label += 1) {
          this.#branch(list.labels[(list.value[index] as number) + label] as number);
        }
        now.clear();
        return;
      case op.return:
      case op.unreachable:
        now.clear();
        return;
      default:
    }
  }

  #close(): void {
    const now = this.#now;
    this.#open -= 1;
    const frame = this.#frames[this.#open] as Frame;
    if (frame.op === op.loop) {
      this.#loops.pop();
      // The block before the header may count as metered already; what matters is what came after it.
      this.callFree[frame.at] = Number(this.#metered === frame.metered);
      if (!now.dead) {
        now.copy(frame.saved);
      }
      return;
    }
    if (frame.op === op.if) {
      now.merge(frame.saved);
    }
    now.merge(frame.label);
  }

  /** Takes the state along a branch. Going back to a loop costs nothing more: its header is charged again. */
  #branch(label: number): void {
    const target = this.#open - 1 - label;
    const frame = this.#frames[target] as Frame;
    if (frame.op === op.loop || target === 0) {
      return;
    }
    const crossed = this.#outermostLoop(target);
    frame.label.merge(crossed === undefined ? this.#now : crossed.saved);
  }

  /** The outermost open loop inside the frame `target`. What follows a loop is paid for by whoever paid before it. */
  #outermostLoop(target: number): Frame | undefined {
    let low = 0;
    let high = this.#loops.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#loops[middle] as number) > target) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    const found = this.#loops[low];
    return found === undefined ? undefined : this.#frames[found];
  }
}
