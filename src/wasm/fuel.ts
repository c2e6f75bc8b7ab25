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
// Engines write table elements one by one, some 100 times slower than 8 bytes of memory.
const elements: DynamicCost = { multiply: 64, shift: 0 };

/**
 * Static costs and the instructions that have them, by what they take on an engine that optimizes (spec/sandbox.md,
 * `npm run bench -- --only fuel`). Any other instruction costs 1.
 */
export const costClasses: readonly { readonly cost: number; readonly names: string }[] = [
  { cost: 0, names: "block loop else end" },
  {
    cost: 2,
    names:
      "call i32.div_s i32.div_u i32.rem_s i32.rem_u i64.div_s i64.div_u i64.rem_s i64.rem_u " +
      "i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u " +
      "i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u " +
      "i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u " +
      "i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u " +
      "f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u " +
      "f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u " +
      "f32x4.min f32x4.max f64x2.min f64x2.max i64x2.mul i8x16.shuffle i8x16.popcnt",
  },
  {
    cost: 3,
    names:
      "br_table f32.div f64.div f32.sqrt f32x4.div f64x2.div i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u " +
      "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f32x4.convert_i32x4_u",
  },
  { cost: 4, names: "call_indirect" },
  { cost: 5, names: "f64.sqrt f32x4.sqrt f64x2.sqrt" },
  { cost: 10, names: "memory.fill memory.copy memory.init" },
  { cost: 40, names: "table.fill table.copy table.init" },
  { cost: 80, names: "table.set" },
  { cost: 1000, names: "memory.grow" },
];

const table: FuelTable = {
  revision: meterRevision,
  instruction: 1,
  instructions: Object.fromEntries(
    costClasses.flatMap(({ cost, names }) => names.split(" ").map((name) => [name, cost] as const)),
  ),
  loopHeader: 4,
  labelsPerUnit: 16,
  localsPerUnit: 4,
  dynamic: {
    "memory.grow": { multiply: 20_000, shift: 0 },
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
