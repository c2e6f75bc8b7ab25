import type { BodyFacts, InstructionList } from "./code.js";
import { FloatFlow } from "./float-flow.js";
import type { FloatShape } from "./opcode.js";
import { opcodeByCode, opcodeSpace } from "./opcodes.js";
import type { FuncType, ModuleShape } from "./shape.js";

/** What to do after an instruction: make the value on top of the stack the canonical NaN if it is any. */
export const nanActions: readonly (FloatShape | undefined)[] = [undefined, "f32", "f64", "f32x4", "f64x2"];

/** Action of instructions by opcode code, when every result is made canonical at once. */
const eager = new Uint8Array(opcodeSpace);
const scalar = new Uint8Array(opcodeSpace);
for (let code = 0; code < opcodeSpace; code += 1) {
  const shape = opcodeByCode[code]?.nan;
  eager[code] = shape === undefined ? 0 : nanActions.indexOf(shape);
  scalar[code] = Number(shape === "f32" || shape === "f64");
}

/**
 * Decides where NaNs are made canonical (spec/sandbox.md, NaN): not after every arithmetic instruction, only where the
 * bits can come to light. Vectors are made canonical at once.
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
    let scalars = 0;
    for (let at = 0; at < list.count; at += 1) {
      const code = list.op[at] as number;
      scalars += scalar[code] as number;
      actions[at] = scalar[code] === 1 ? 0 : (eager[code] as number);
    }
    if (scalars > 0 && !this.#flow.plan(type, list, facts, actions)) {
      for (let at = 0; at < list.count; at += 1) {
        actions[at] = eager[list.op[at] as number] as number;
      }
    }
    this.places = 0;
    for (let at = 0; at < list.count; at += 1) {
      this.places += Number(actions[at] !== 0);
    }
  }
}
