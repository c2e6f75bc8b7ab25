import { findImport } from "../../contracts/imports.js";
import type { BodyFacts, InstructionList } from "../decode/code.js";
import { grownInts } from "../decode/grow.js";
import { op, opcodeByCode, opcodeSpace } from "../decode/opcodes.js";
import { type ModuleShape, typeKey } from "../decode/shape.js";
import { readFuelTable } from "../fuel.js";
import { structuralLimits } from "../limits.js";
import { components, type Edges } from "./strongly-connected.js";

/** What was found out about a function. */
const flag = {
  /** A loop, an indirect call, memory.grow or an operand that is charged for: not for callers to pay. */
  busy: 1,
  /** Called by the host: it pays for its own first instructions. */
  entered: 2,
  /** Callers pay for all of it, and it touches no counter. */
  silent: 4,
} as const;

/** Instructions that are charged for by an operand. */
const dynamic = new Uint8Array(opcodeSpace);
for (let code = 0; code < opcodeSpace; code += 1) {
  dynamic[code] = Number(Object.hasOwn(readFuelTable().dynamic, opcodeByCode[code]?.name ?? ""));
}

/**
 * Who calls whom in a module, and what follows for fuel and stack (spec/sandbox.md). Nodes are the defined functions
 * and behind them one node for each distinct function type, which stands between an indirect call and everything of
 * its type that a table can hold.
 */
export class CallGraph {
  readonly #shape: ModuleShape;
  readonly #imports: number;
  readonly #defined: number;
  readonly #flags: Uint8Array;
  readonly #words: Int32Array;
  readonly #locals: Int32Array;
  /** What callers pay for a function beyond the call; imports first. */
  readonly #prepaid: Int32Array;
  /** Class of a type index, and what an indirect call of the class costs and is. */
  readonly #classes: Int32Array;
  readonly #classPrepaid: Int32Array;
  readonly #classMetered: Uint8Array;
  readonly #thunked: Uint8Array;
  /** By function index, imports first: 1 where a table can hold it. */
  readonly #referenced: Uint8Array;
  readonly #starts: Int32Array;
  #targets = new Int32Array(1024);
  #edges = 0;
  #component: Int32Array = new Int32Array(0);
  #cyclic: Uint8Array = new Uint8Array(0);
  #order: Int32Array = new Int32Array(0);
  #countsAll = false;
  readonly #seen: Int32Array;

  constructor(shape: ModuleShape) {
    this.#shape = shape;
    this.#imports = shape.importedFunctions;
    this.#defined = shape.bodies.length;
    this.#flags = new Uint8Array(this.#defined);
    this.#words = new Int32Array(this.#defined);
    this.#locals = new Int32Array(this.#defined);
    this.#prepaid = new Int32Array(this.#imports + this.#defined);
    this.#classes = classesOf(shape);
    const classes = this.#classes.reduce((most, each) => Math.max(most, each + 1), 0);
    this.#classPrepaid = new Int32Array(classes);
    this.#classMetered = new Uint8Array(classes);
    this.#thunked = new Uint8Array(this.#imports);
    this.#referenced = new Uint8Array(this.#imports + this.#defined);
    for (const index of shape.references) {
      this.#referenced[index] = 1;
    }
    this.#starts = new Int32Array(this.#defined + classes + 1);
    this.#seen = new Int32Array(this.#defined + classes).fill(-1);
    shape.imports.forEach(({ module, name }, index) => {
      const row = findImport(module, name);
      this.#thunked[index] = Number(row?.lengthArg !== undefined);
      this.#prepaid[index] = row?.lengthArg === undefined ? (row?.cost ?? 0) : 0;
    });
  }

  /** True when calls of this import go through its thunk, which charges for a length. */
  isThunked(index: number): boolean {
    return this.#thunked[index] === 1;
  }

  /** Takes in the next function, in the order of their indices. */
  add(index: number, list: InstructionList, facts: BodyFacts): void {
    this.#words[index] = facts.words;
    this.#locals[index] = facts.locals;
    this.#starts[index] = this.#edges;
    let flags = 0;
    for (let at = 0; at < list.count; at += 1) {
      const code = list.op[at] as number;
      const value = list.value[at] as number;
      if (code === op.call) {
        if (value >= this.#imports) {
          this.#connect(index, value - this.#imports);
        } else if (this.#thunked[value] === 1) {
          flags |= flag.busy;
        }
      } else if (code === op.callIndirect) {
        this.#connect(index, this.#defined + (this.#classes[value] as number));
        flags |= flag.busy;
      } else if (code === op.loop || dynamic[code] === 1) {
        flags |= flag.busy;
      } else if (code === op.refFunc) {
        this.#referenced[value] = 1;
      }
    }
    this.#flags[index] = flags;
  }

  #connect(from: number, to: number): void {
    if (this.#seen[to] === from) {
      return;
    }
    this.#seen[to] = from;
    if (this.#edges === this.#targets.length) {
      this.#targets = grownInts(this.#targets);
    }
    this.#targets[this.#edges++] = to;
  }

  /** To be called when all functions have been added: finds the cycles, and whether frames outside them fit. */
  close(): void {
    this.#connectClasses();
    for (const { kind, index } of this.#shape.exports) {
      if (kind === "function") {
        this.#enter(index);
      }
    }
    if (this.#shape.start !== null) {
      this.#enter(this.#shape.start);
    }
    for (let index = 0; index < this.#defined; index += 1) {
      const initial = Math.floor((this.#locals[index] as number) / readFuelTable().localsPerUnit);
      if (initial > readFuelTable().plan.block) {
        this.#flags[index] = (this.#flags[index] as number) | flag.entered;
      }
    }
    const graph: Edges = { starts: this.#starts, targets: this.#targets };
    const found = components(graph);
    this.#component = found.component;
    this.#cyclic = found.cyclic;
    this.#order = found.order;
    this.#countsAll = longestPath(graph, found.component, found.order, this.#words) > structuralLimits.frameWords;
  }

  #enter(index: number): void {
    if (index >= this.#imports) {
      this.#flags[index - this.#imports] = (this.#flags[index - this.#imports] as number) | flag.entered;
    }
  }

  /** Edges from every type to what tables can hold of it. */
  #connectClasses(): void {
    const members: number[][] = Array.from({ length: this.#classPrepaid.length }, () => []);
    for (let index = 0; index < this.#referenced.length; index += 1) {
      if (this.#referenced[index] === 0) {
        continue;
      }
      const kind = this.#classes[this.#shape.functionTypes[index] as number] as number;
      if (index < this.#imports) {
        // Its thunk charges.
        this.#classMetered[kind] = 1;
      } else {
        members[kind]?.push(index - this.#imports);
      }
    }
    members.forEach((list, kind) => {
      this.#starts[this.#defined + kind] = this.#edges;
      for (const member of list) {
        this.#connect(this.#defined + kind, member);
      }
    });
    this.#starts[this.#defined + members.length] = this.#edges;
  }

  /** Defined functions, callees before their callers as far as there are no cycles. */
  *calleesFirst(): Iterable<number> {
    for (const node of this.#order) {
      if (node < this.#defined) {
        yield node;
      }
    }
  }

  /**
   * Can callers pay for the whole function? It must not loop, recurse, be entered by the host or call anything that
   * pays for itself. Asked callees first; `settle` says whether it was cheap enough.
   */
  canBeSilent(index: number): boolean {
    if ((this.#flags[index] as number) !== 0 || this.#cyclic[index] === 1) {
      return false;
    }
    for (let edge = this.#starts[index] as number; edge < (this.#starts[index + 1] as number); edge += 1) {
      if (((this.#flags[this.#targets[edge] as number] as number) & flag.silent) === 0) {
        return false;
      }
    }
    return true;
  }

  /** Records that callers pay `cost` for all of a function. */
  silence(index: number, cost: number): void {
    this.#flags[index] = (this.#flags[index] as number) | flag.silent;
    this.#prepaid[this.#imports + index] = cost;
  }

  /** Records that callers pay `cost` for a function's first instructions. */
  prepay(index: number, cost: number): void {
    this.#prepaid[this.#imports + index] = cost;
  }

  /** To be called when every silent function is known, and again when every prepaid cost is: sums up the types. */
  sumClasses(): void {
    for (let kind = 0; kind < this.#classPrepaid.length; kind += 1) {
      const node = this.#defined + kind;
      for (let edge = this.#starts[node] as number; edge < (this.#starts[node + 1] as number); edge += 1) {
        const member = this.#targets[edge] as number;
        const cost = this.#prepaid[this.#imports + member] as number;
        this.#classPrepaid[kind] = Math.max(this.#classPrepaid[kind] as number, cost);
        if (!this.isSilent(member)) {
          this.#classMetered[kind] = 1;
        }
      }
    }
  }

  isSilent(index: number): boolean {
    return ((this.#flags[index] as number) & flag.silent) !== 0;
  }

  /** Does the function pay for its own first instructions? */
  paysItself(index: number): boolean {
    return ((this.#flags[index] as number) & flag.entered) !== 0;
  }

  /** What callers pay for a defined function beyond the call. */
  prepaidOf(index: number): number {
    return this.#prepaid[this.#imports + index] as number;
  }

  /** What a call costs beyond the instruction. `value` as in the instruction list. */
  costOf(code: number, value: number): number {
    return code === op.call
      ? (this.#prepaid[value] as number)
      : (this.#classPrepaid[this.#classes[value] as number] as number);
  }

  /** Can a call change the fuel? */
  isMetered(code: number, value: number): boolean {
    if (code === op.callIndirect) {
      return this.#classMetered[this.#classes[value] as number] === 1;
    }
    return value < this.#imports ? this.#thunked[value] === 1 : !this.isSilent(value - this.#imports);
  }

  /** Is the call one whose frames are counted: does it lead back to the function that makes it? */
  isCounted(index: number, code: number, value: number): boolean {
    if (code === op.call && value < this.#imports) {
      return false;
    }
    if (this.#countsAll) {
      return true;
    }
    const node = code === op.call ? value - this.#imports : this.#defined + (this.#classes[value] as number);
    return this.#cyclic[index] === 1 && this.#component[node] === this.#component[index];
  }
}

/** Number of the distinct function type of every type index. */
function classesOf(shape: ModuleShape): Int32Array {
  const known = new Map<string, number>();
  return Int32Array.from(shape.types, ({ params, results }) => {
    const key = typeKey(params, results);
    const found = known.get(key) ?? known.size;
    known.set(key, found);
    return found;
  });
}

/** The most words that frames of different components can take together. */
function longestPath(graph: Edges, component: Int32Array, order: Int32Array, words: Int32Array): number {
  const own = new Float64Array(graph.starts.length);
  const below = new Float64Array(graph.starts.length);
  let longest = 0;
  // Components come callees first, so everything a component calls is known when it is reached.
  for (let from = 0; from < order.length; ) {
    const now = component[order[from] as number] as number;
    let to = from;
    for (; to < order.length && component[order[to] as number] === now; to += 1) {
      const node = order[to] as number;
      own[now] = Math.max(own[now] as number, words[node] ?? 0);
      for (let edge = graph.starts[node] as number; edge < (graph.starts[node + 1] as number); edge += 1) {
        const other = component[graph.targets[edge] as number] as number;
        if (other !== now) {
          below[now] = Math.max(below[now] as number, (own[other] as number) + (below[other] as number));
        }
      }
    }
    longest = Math.max(longest, (own[now] as number) + (below[now] as number));
    from = to;
  }
  return longest;
}
