import type { BodyFacts, InstructionList } from "../decode/code.js";
import { opcodeByCode, opcodeSpace } from "../decode/opcodes.js";
import type { FuncType, ModuleShape } from "../decode/shape.js";
import { FloatFlow } from "./float-flow.js";
import { nanActions } from "./nan-places.js";

/** Action of instructions by opcode code, when every result is made canonical at once. */
const eager = new Uint8Array(opcodeSpace);
for (let code = 0; code < opcodeSpace; code += 1) {
  const shape = opcodeByCode[code]?.nan;
  eager[code] = shape === undefined ? 0 : nanActions.indexOf(shape);
}

/**
 * Decides where NaNs are made canonical (spec/sandbox.md, NaN): not after every arithmetic instruction, only where the
 * bits can come to light.
 */
export class NanPlanner {
  /** Index into `nanActions` by instruction. */
  actions = new Uint8Array(0);
  /** Number of places. */
  places = 0;
  readonly #flow: FloatFlow;

  constructor(shape: ModuleShape) {
    this.#flow = new FloatFlow(shape);
  }

  /** Plans one function; the plan stays until the next call. */
  plan(type: FuncType, list: InstructionList, facts: BodyFacts): void {
    if (this.actions.length < list.count) {
      this.actions = new Uint8Array(Math.max(list.count, this.actions.length * 2));
    }
    const actions = this.actions;
    let arithmetic = false;
    for (let at = 0; at < list.count; at += 1) {
      arithmetic ||= eager[list.op[at] as number] !== 0;
      actions[at] = 0;
    }
    this.places = 0;
    if (!arithmetic) {
      return;
    }
    if (!this.#flow.plan(type, list, facts, actions)) {
      for (let at = 0; at < list.count; at += 1) {
        actions[at] = eager[list.op[at] as number] as number;
      }
    }
    for (let at = 0; at < list.count; at += 1) {
      this.places += Number(actions[at] !== 0);
    }
  }
}
