import { importTable } from "../contracts/imports.js";

/**
 * Revision of the meter: cost table, charge plan, stack weights, NaN plan and inserted code. Recorded with every run.
 */
export const meterRevision = 1;

/** A charge that depends on an operand: `(operand * multiply) >> shift`, the operand taken as unsigned. */
export type DynamicCost = { readonly multiply: number; readonly shift: number };

/** The cost table of one meter revision, in fuel units (spec/sandbox.md). */
export type FuelTable = {
  readonly revision: number;
  /** Every instruction that `instructions` does not name. */
  readonly instruction: number;
  /** Static cost by instruction name. */
  readonly instructions: Readonly<Record<string, number>>;
  /** Charged again at every pass of a loop header, so that an empty loop burns as fast as dense code. */
  readonly loopHeader: number;
  /** br_table: one more unit for every so many labels. */
  readonly labelsPerUnit: number;
  /** Function entry: one unit for every so many declared locals, which are zeroed there. */
  readonly localsPerUnit: number;
  /** Charged just before the instruction, from its last operand. */
  readonly dynamic: Readonly<Record<string, DynamicCost>>;
  /** Charged just before an import is called. `lengthShift` applies to the argument `lengthArg` without `lengthCost`. */
  readonly imports: readonly {
    readonly module: string;
    readonly name: string;
    readonly cost: number;
    readonly lengthArg: number | null;
    readonly lengthCost?: DynamicCost;
  }[];
  readonly lengthShift: number;
  /** Where charges stand (spec/sandbox.md, Fuel): thresholds of the charge plan. */
  readonly plan: {
    /** A basic block that costs more than this is charged by itself. */
    readonly block: number;
    /** As is one that a path of more than this leads to. */
    readonly path: number;
    /** A function without loops whose longest path costs no more than this is paid for by its callers alone. */
    readonly callee: number;
  };
};

const bytes: DynamicCost = { multiply: 1, shift: 3 };
// Engines write table elements one by one, some 50 times slower than 8 bytes of memory.
const elements: DynamicCost = { multiply: 32, shift: 0 };

const table: FuelTable = {
  revision: meterRevision,
  instruction: 1,
  instructions: {
    block: 0,
    loop: 0,
    else: 0,
    end: 0,
    br_table: 3,
    call: 2,
    call_indirect: 4,
    "table.set": 32,
    "memory.grow": 500,
  },
  loopHeader: 4,
  labelsPerUnit: 16,
  localsPerUnit: 4,
  dynamic: {
    "memory.grow": { multiply: 2000, shift: 0 },
    "memory.fill": bytes,
    "memory.copy": bytes,
    "memory.init": bytes,
    "table.fill": elements,
    "table.copy": elements,
    "table.init": elements,
  },
  imports: importTable.map(({ module, name, cost, lengthArg, lengthCost }) => ({
    module,
    name,
    cost,
    lengthArg: lengthArg ?? null,
    ...(lengthCost === undefined ? {} : { lengthCost }),
  })),
  lengthShift: 3,
  plan: { block: 16, path: 96, callee: 200 },
};

/** The cost table of the present meter revision, as plain JSON. */
export function readFuelTable(): FuelTable {
  return table;
}
