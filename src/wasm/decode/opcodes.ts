import { all, type Opcode, rows } from "./opcode.js";
import { simdOpcodes } from "./opcodes-simd.js";

const integerCompare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const floatCompare = "eq ne lt gt le ge";
const integerUnary = "clz ctz popcnt";
const integerBinary = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
const signExtension = { feature: "sign-extension" } as const;
const saturating = { feature: "saturating-conversion" } as const;
const bulk = { feature: "bulk-memory" } as const;
const reference = { feature: "reference-types" } as const;
const observes = { observes: 1 } as const;
const number = { number: true } as const;

/** The allow-list: every instruction a guest may use. What is not here is refused (EXO_WASM_FEATURE). */
export const opcodes: readonly Opcode[] = [
  // control
  ...rows(0x00, "unreachable nop", "none", 0, 0),
  ...rows(0x02, "block loop", "block", -1, -1),
  ...rows(0x04, "if", "block", -1, -1),
  ...rows(0x05, "else", "none", -1, -1),
  ...rows(0x0b, "end", "none", -1, -1),
  ...rows(0x0c, "br", "label", -1, -1),
  ...rows(0x0d, "br_if", "label", 1, 0),
  ...rows(0x0e, "br_table", "labels", -1, -1),
  ...rows(0x0f, "return", "none", -1, -1),
  ...rows(0x10, "call", "function", -1, -1),
  ...rows(0x11, "call_indirect", "indirect", -1, -1),
  // parametric and variables
  ...rows(0x1a, "drop", "none", 1, 0),
  ...rows(0x1b, "select", "none", 3, 1),
  ...rows(0x1c, "select_t", "types", 3, 1, reference),
  ...rows(0x20, "local.get", "local", 0, 1),
  ...rows(0x21, "local.set", "local", 1, 0),
  ...rows(0x22, "local.tee", "local", 1, 1),
  ...rows(0x23, "global.get", "global", 0, 1),
  ...rows(0x24, "global.set", "global", 1, 0),
  ...rows(0x25, "table.get", "table", 1, 1, reference),
  ...rows(0x26, "table.set", "table", 2, 0, reference),
  // memory
  ...rows(0x28, all("i32", "load"), "memarg", 1, 1),
  ...rows(0x29, all("i64", "load"), "memarg", 1, 1),
  ...rows(0x2a, all("f32", "load"), "memarg", 1, 1),
  ...rows(0x2b, all("f64", "load"), "memarg", 1, 1),
  ...rows(0x2c, all("i32", "load8_s load8_u load16_s load16_u"), "memarg", 1, 1),
  ...rows(0x30, all("i64", "load8_s load8_u load16_s load16_u load32_s load32_u"), "memarg", 1, 1),
  ...rows(0x36, "i32.store i64.store", "memarg", 2, 0),
  ...rows(0x38, "f32.store f64.store", "memarg", 2, 0, observes),
  ...rows(0x3a, "i32.store8 i32.store16", "memarg", 2, 0),
  ...rows(0x3c, all("i64", "store8 store16 store32"), "memarg", 2, 0),
  ...rows(0x3f, "memory.size", "memory", 0, 1),
  ...rows(0x40, "memory.grow", "memory", 1, 1),
  // constants
  ...rows(0x41, "i32.const", "i32", 0, 1),
  ...rows(0x42, "i64.const", "i64", 0, 1),
  ...rows(0x43, "f32.const", "f32", 0, 1),
  ...rows(0x44, "f64.const", "f64", 0, 1),
  // comparisons
  ...rows(0x45, "i32.eqz", "none", 1, 1),
  ...rows(0x46, all("i32", integerCompare), "none", 2, 1),
  ...rows(0x50, "i64.eqz", "none", 1, 1),
  ...rows(0x51, all("i64", integerCompare), "none", 2, 1),
  ...rows(0x5b, all("f32", floatCompare), "none", 2, 1),
  ...rows(0x61, all("f64", floatCompare), "none", 2, 1),
  // integer arithmetic
  ...rows(0x67, all("i32", integerUnary), "none", 1, 1),
  ...rows(0x6a, all("i32", integerBinary), "none", 2, 1),
  ...rows(0x79, all("i64", integerUnary), "none", 1, 1),
  ...rows(0x7c, all("i64", integerBinary), "none", 2, 1),
  // float arithmetic
  ...rows(0x8b, "f32.abs", "none", 1, 1),
  ...rows(0x8c, "f32.neg", "none", 1, 1, observes),
  ...rows(0x8d, all("f32", "ceil floor trunc nearest sqrt"), "none", 1, 1, { nan: "f32" }),
  ...rows(0x92, all("f32", "add sub mul div min max"), "none", 2, 1, { nan: "f32" }),
  ...rows(0x98, "f32.copysign", "none", 2, 1, { observes: 2 }),
  ...rows(0x99, "f64.abs", "none", 1, 1),
  ...rows(0x9a, "f64.neg", "none", 1, 1, observes),
  ...rows(0x9b, all("f64", "ceil floor trunc nearest sqrt"), "none", 1, 1, { nan: "f64" }),
  ...rows(0xa0, all("f64", "add sub mul div min max"), "none", 2, 1, { nan: "f64" }),
  ...rows(0xa6, "f64.copysign", "none", 2, 1, { observes: 2 }),
  // conversions
  ...rows(0xa7, all("i32", "wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"), "none", 1, 1),
  ...rows(0xac, all("i64", "extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"), "none", 1, 1),
  ...rows(0xb2, all("f32", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u"), "none", 1, 1, number),
  ...rows(0xb6, "f32.demote_f64", "none", 1, 1, { nan: "f32" }),
  ...rows(0xb7, all("f64", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u"), "none", 1, 1, number),
  ...rows(0xbb, "f64.promote_f32", "none", 1, 1, { nan: "f64" }),
  ...rows(0xbc, "i32.reinterpret_f32 i64.reinterpret_f64", "none", 1, 1, observes),
  ...rows(0xbe, "f32.reinterpret_i32 f64.reinterpret_i64", "none", 1, 1),
  ...rows(
    0xc0,
    "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s",
    "none",
    1,
    1,
    signExtension,
  ),
  // references
  ...rows(0xd0, "ref.null", "heap", 0, 1, reference),
  ...rows(0xd1, "ref.is_null", "none", 1, 1, reference),
  ...rows(0xd2, "ref.func", "function", 0, 1, reference),
  // prefix 0xFC
  ...rows(
    0x100,
    all("i32", "trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u"),
    "none",
    1,
    1,
    saturating,
  ),
  ...rows(
    0x104,
    all("i64", "trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u"),
    "none",
    1,
    1,
    saturating,
  ),
  ...rows(0x108, "memory.init", "data-memory", 3, 0, bulk),
  ...rows(0x109, "data.drop", "data", 0, 0, bulk),
  ...rows(0x10a, "memory.copy", "memory-memory", 3, 0, bulk),
  ...rows(0x10b, "memory.fill", "memory", 3, 0, bulk),
  ...rows(0x10c, "table.init", "element-table", 3, 0, bulk),
  ...rows(0x10d, "elem.drop", "element", 0, 0, bulk),
  ...rows(0x10e, "table.copy", "table-table", 3, 0, bulk),
  ...rows(0x110, "table.size", "table", 0, 1, reference),
  ...rows(0x111, "table.fill", "table", 3, 0, reference),
  ...simdOpcodes,
];

/** One more than the greatest code. */
export const opcodeSpace = 0x300;

/** Operands popped and pushed by opcode code; -1 where they depend on types or the code is refused. */
export const operands = { pops: new Int8Array(opcodeSpace).fill(-1), pushes: new Int8Array(opcodeSpace).fill(-1) };
for (const { code, pops, pushes } of opcodes) {
  operands.pops[code] = pops;
  operands.pushes[code] = pushes;
}

/** Opcode by code; undefined where refused. */
export const opcodeByCode: readonly (Opcode | undefined)[] = (() => {
  const table = new Array<Opcode | undefined>(opcodeSpace).fill(undefined);
  for (const opcode of opcodes) {
    table[opcode.code] = opcode;
  }
  return table;
})();

/** Code of an instruction by its prefix byte, if it has one, and what follows; opcodes.ts knows no greater ones. */
export function codeOf(byte: number, sub: number | undefined): number {
  if (sub === undefined) {
    return byte;
  }
  const base = byte === 0xfc ? 0x100 : byte === 0xfd ? 0x200 : opcodeSpace;
  return sub < 0x100 ? base + sub : opcodeSpace;
}

/** Codes the passes name. */
export const op = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  select: 0x1b,
  selectTyped: 0x1c,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  i32Eq: 0x46,
  i32LtS: 0x48,
  i64LtS: 0x53,
  i64GtU: 0x56,
  f32Ge: 0x60,
  f64Ge: 0x66,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Or: 0x72,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64ShrU: 0x88,
  f32Abs: 0x8b,
  f64Abs: 0x99,
  i64ExtendI32U: 0xad,
  refFunc: 0xd2,
  v128Const: 0x20c,
} as const;
