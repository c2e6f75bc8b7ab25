import type { BodyFacts, InstructionList } from "../decode/code.js";
import { grownInts } from "../decode/grow.js";
import { op } from "../decode/opcodes.js";
import { ByteReader } from "../decode/reader.js";
import type { FuncType } from "../decode/shape.js";
import { fixedNode, numberNode } from "./float-graph.js";

const f32 = 0x7d;
const f64 = 0x7c;
const v128 = 0x7b;

/** The float and vector locals a function uses, numbered from 0, and the node each one holds now. */
export class FloatLocals {
  /** Nodes of the first `count` numbers. */
  nodes = new Int32Array(64);
  count = 0;
  /** By local index: number + 1, valid where `#stamps` holds the present function. */
  #numbers = new Int32Array(1024);
  #stamps = new Int32Array(1024);
  #stamp = 0;
  // Local groups of the present function: index behind the last local, and type.
  readonly #ends: number[] = [];
  readonly #types: number[] = [];

  /** Finds the locals that a function's instructions name, and gives them their values at its entry. */
  reset(bytes: Uint8Array, type: FuncType, list: InstructionList, facts: BodyFacts): void {
    this.count = 0;
    this.#stamp += 1;
    this.#readGroups(bytes, facts);
    const all = facts.params + facts.locals;
    if (this.#numbers.length < all) {
      this.#numbers = new Int32Array(all * 2);
      this.#stamps = new Int32Array(all * 2);
    }
    for (let at = 0; at < list.count; at += 1) {
      const code = list.op[at] as number;
      if (code !== op.localGet && code !== op.localSet && code !== op.localTee) {
        continue;
      }
      const local = list.value[at] as number;
      if (this.#stamps[local] !== this.#stamp) {
        this.#stamps[local] = this.#stamp;
        const isParam = local < facts.params;
        const kind = isParam ? type.params[local] : this.#typeOf(local);
        const float = kind === f32 || kind === f64 || kind === v128;
        this.#numbers[local] = float ? this.#add(isParam ? fixedNode : numberNode) + 1 : 0;
      }
    }
  }

  #readGroups(bytes: Uint8Array, facts: BodyFacts): void {
    const reader = new ByteReader(bytes, facts.groupsStart, facts.groupsEnd);
    this.#ends.length = 0;
    this.#types.length = 0;
    let end = facts.params;
    for (let group = 0; group < facts.groups; group += 1) {
      end += reader.u32();
      this.#ends.push(end);
      this.#types.push(reader.u8());
    }
  }

  #typeOf(local: number): number {
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] as number) > local) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return this.#types[low] ?? 0;
  }

  #add(node: number): number {
    if (this.count === this.nodes.length) {
      this.nodes = grownInts(this.nodes);
    }
    this.nodes[this.count] = node;
    this.count += 1;
    return this.count - 1;
  }

  /** Node of a local; `numberNode` when it is an integer or reference. */
  get(local: number): number {
    const number = this.#numbers[local] as number;
    return number === 0 ? numberNode : (this.nodes[number - 1] as number);
  }

  set(local: number, node: number): void {
    const number = this.#numbers[local] as number;
    if (number !== 0) {
      this.nodes[number - 1] = node;
    }
  }
}
