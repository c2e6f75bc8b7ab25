import type { BodyFacts, InstructionList } from "./code.js";
import { type FuelTable, readFuelTable } from "./fuel.js";
import { op, opcodeSpace, opcodes } from "./opcodes.js";

/** Static cost by opcode code. */
function staticCosts(table: FuelTable): Int32Array {
  const costs = new Int32Array(opcodeSpace);
  for (const { code, name } of opcodes) {
    costs[code] = Object.hasOwn(table.instructions, name) ? (table.instructions[name] as number) : table.instruction;
  }
  return costs;
}

/**
 * Decides where a function is charged and how much: the whole of revision 0's charge plan. Every basic block is charged
 * in full before its first instruction, so nothing runs that is not paid for.
 */
export class ChargePlanner {
  readonly #table = readFuelTable();
  readonly #costs = staticCosts(this.#table);
  #plan = new Int32Array(0);

  /**
   * Returns the plan: fuel to charge just before instruction i, 0 where nothing is charged. The array is used again by
   * the next call.
   */
  plan(list: InstructionList, facts: BodyFacts): Int32Array {
    if (this.#plan.length < list.count) {
      this.#plan = new Int32Array(Math.max(list.count, this.#plan.length * 2));
    }
    const plan = this.#plan;
    plan.fill(0, 0, list.count);
    let first = 0;
    let cost = Math.floor(facts.locals / this.#table.localsPerUnit);
    for (let index = 0; index < list.count; index += 1) {
      const code = list.op[index] as number;
      cost += this.#costs[code] as number;
      if (code === op.brTable) {
        cost += Math.floor((list.value[index] as number) / this.#table.labelsPerUnit);
      }
      if (endsBlock(code, list.value[index] as number)) {
        plan[first] = cost;
        first = index + 1;
        cost = code === op.loop ? this.#table.loopHeader : 0;
      }
    }
    if (first < list.count) {
      plan[first] = cost;
    }
    return plan;
  }
}

/** Does a basic block end with this instruction? `end` does only when control can arrive from elsewhere. */
function endsBlock(code: number, value: number): boolean {
  switch (code) {
    case op.loop:
    case op.if:
    case op.else:
    case op.br:
    case op.brIf:
    case op.brTable:
    case op.return:
    case op.unreachable:
      return true;
    case op.end:
      return value === 1;
    default:
      return false;
  }
}
