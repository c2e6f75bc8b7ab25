import { all, type Immediate, type Opcode, rows, type Traits } from "./opcode.js";

const simd = { feature: "simd" } as const;
const f32x4 = { nan: "f32x4", takes: "f32x4" } as const;
const f64x2 = { nan: "f64x2", takes: "f64x2" } as const;
const ofF32x4 = { takes: "f32x4" } as const;
const ofF64x2 = { takes: "f64x2" } as const;

/** Consecutive sub-opcodes of prefix 0xFD. All of them observe their operands, scalars included. */
function lanes(immediate: Immediate, first: number, names: string, pops: number, pushes: number, traits: Traits = {}) {
  return rows(0x200 + first, names, immediate, pops, pushes, { ...simd, observes: pops, ...traits });
}

/** The same for those without an immediate. */
function row(first: number, names: string, pops: number, pushes: number, traits: Traits = {}): Opcode[] {
  return lanes("none", first, names, pops, pushes, traits);
}

const compare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const compareFloat = "eq ne lt gt le ge";
const shifts = "shl shr_s shr_u";
const saturating = "add add_sat_s add_sat_u sub sub_sat_s sub_sat_u";
const bounds = "min_s min_u max_s max_u";

/** The instructions of prefix 0xFD that are admitted: the 128-bit vectors, without the relaxed ones. */
export const simdOpcodes: readonly Opcode[] = [
  // memory, constants, lanes
  ...lanes("memarg", 0x00, all("v128", "load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u"), 1, 1),
  ...lanes("memarg", 0x07, all("v128", "load8_splat load16_splat load32_splat load64_splat"), 1, 1),
  ...lanes("memarg", 0x0b, "v128.store", 2, 0),
  ...lanes("v128", 0x0c, "v128.const", 0, 1),
  ...lanes("v128", 0x0d, "i8x16.shuffle", 2, 1),
  ...row(0x0e, "i8x16.swizzle", 2, 1),
  ...row(0x0f, "i8x16.splat i16x8.splat i32x4.splat i64x2.splat", 1, 1),
  ...row(0x13, "f32x4.splat f64x2.splat", 1, 1),
  ...lanes("lane", 0x15, all("i8x16", "extract_lane_s extract_lane_u"), 1, 1),
  ...lanes("lane", 0x17, "i8x16.replace_lane", 2, 1),
  ...lanes("lane", 0x18, all("i16x8", "extract_lane_s extract_lane_u"), 1, 1),
  ...lanes("lane", 0x1a, "i16x8.replace_lane", 2, 1),
  ...lanes("lane", 0x1b, "i32x4.extract_lane", 1, 1),
  ...lanes("lane", 0x1c, "i32x4.replace_lane", 2, 1),
  ...lanes("lane", 0x1d, "i64x2.extract_lane", 1, 1),
  ...lanes("lane", 0x1e, "i64x2.replace_lane", 2, 1),
  ...lanes("lane", 0x1f, "f32x4.extract_lane", 1, 1),
  ...lanes("lane", 0x20, "f32x4.replace_lane", 2, 1),
  ...lanes("lane", 0x21, "f64x2.extract_lane", 1, 1),
  ...lanes("lane", 0x22, "f64x2.replace_lane", 2, 1),
  // comparisons and bits
  ...row(0x23, all("i8x16", compare), 2, 1),
  ...row(0x2d, all("i16x8", compare), 2, 1),
  ...row(0x37, all("i32x4", compare), 2, 1),
  ...row(0x41, all("f32x4", compareFloat), 2, 1, ofF32x4),
  ...row(0x47, all("f64x2", compareFloat), 2, 1, ofF64x2),
  ...row(0x4d, "v128.not", 1, 1),
  ...row(0x4e, all("v128", "and andnot or xor"), 2, 1),
  ...row(0x52, "v128.bitselect", 3, 1),
  ...row(0x53, "v128.any_true", 1, 1),
  ...lanes("memarg-lane", 0x54, all("v128", "load8_lane load16_lane load32_lane load64_lane"), 2, 1),
  ...lanes("memarg-lane", 0x58, all("v128", "store8_lane store16_lane store32_lane store64_lane"), 2, 0),
  ...lanes("memarg", 0x5c, all("v128", "load32_zero load64_zero"), 1, 1),
  ...row(0x5e, "f32x4.demote_f64x2_zero", 1, 1, { nan: "f32x4", takes: "f64x2" }),
  ...row(0x5f, "f64x2.promote_low_f32x4", 1, 1, { nan: "f64x2", takes: "f32x4" }),
  // i8x16, with float rounding in its gaps
  ...row(0x60, all("i8x16", "abs neg popcnt all_true bitmask"), 1, 1),
  ...row(0x65, all("i8x16", "narrow_i16x8_s narrow_i16x8_u"), 2, 1),
  ...row(0x67, all("f32x4", "ceil floor trunc nearest"), 1, 1, f32x4),
  ...row(0x6b, all("i8x16", `${shifts} ${saturating}`), 2, 1),
  ...row(0x74, all("f64x2", "ceil floor"), 1, 1, f64x2),
  ...row(0x76, all("i8x16", bounds), 2, 1),
  ...row(0x7a, "f64x2.trunc", 1, 1, f64x2),
  ...row(0x7b, "i8x16.avgr_u", 2, 1),
  // i16x8
  ...row(0x7c, all("i16x8", "extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u"), 1, 1),
  ...row(0x7e, all("i32x4", "extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u"), 1, 1),
  ...row(0x80, all("i16x8", "abs neg"), 1, 1),
  ...row(0x82, "i16x8.q15mulr_sat_s", 2, 1),
  ...row(0x83, all("i16x8", "all_true bitmask"), 1, 1),
  ...row(0x85, all("i16x8", "narrow_i32x4_s narrow_i32x4_u"), 2, 1),
  ...row(0x87, all("i16x8", "extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u"), 1, 1),
  ...row(0x8b, all("i16x8", `${shifts} ${saturating}`), 2, 1),
  ...row(0x94, "f64x2.nearest", 1, 1, f64x2),
  ...row(0x95, all("i16x8", `mul ${bounds} - avgr_u`), 2, 1),
  ...row(0x9c, all("i16x8", "extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u"), 2, 1),
  // i32x4
  ...row(0xa0, all("i32x4", "abs neg - all_true bitmask"), 1, 1),
  ...row(0xa7, all("i32x4", "extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u"), 1, 1),
  ...row(0xab, all("i32x4", `${shifts} add - - sub`), 2, 1),
  ...row(0xb5, all("i32x4", `mul ${bounds} dot_i16x8_s`), 2, 1),
  ...row(0xbc, all("i32x4", "extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u"), 2, 1),
  // i64x2
  ...row(0xc0, all("i64x2", "abs neg - all_true bitmask"), 1, 1),
  ...row(0xc7, all("i64x2", "extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u"), 1, 1),
  ...row(0xcb, all("i64x2", `${shifts} add - - sub`), 2, 1),
  ...row(0xd5, all("i64x2", "mul eq ne lt_s gt_s le_s ge_s"), 2, 1),
  ...row(0xdc, all("i64x2", "extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u"), 2, 1),
  // floats
  ...row(0xe0, all("f32x4", "abs neg"), 1, 1),
  ...row(0xe3, "f32x4.sqrt", 1, 1, f32x4),
  ...row(0xe4, all("f32x4", "add sub mul div min max"), 2, 1, f32x4),
  ...row(0xea, all("f32x4", "pmin pmax"), 2, 1),
  ...row(0xec, all("f64x2", "abs neg"), 1, 1),
  ...row(0xef, "f64x2.sqrt", 1, 1, f64x2),
  ...row(0xf0, all("f64x2", "add sub mul div min max"), 2, 1, f64x2),
  ...row(0xf6, all("f64x2", "pmin pmax"), 2, 1),
  // conversions
  ...row(0xf8, all("i32x4", "trunc_sat_f32x4_s trunc_sat_f32x4_u"), 1, 1, ofF32x4),
  ...row(0xfa, all("f32x4", "convert_i32x4_s convert_i32x4_u"), 1, 1),
  ...row(0xfc, all("i32x4", "trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero"), 1, 1, ofF64x2),
  ...row(0xfe, all("f64x2", "convert_low_i32x4_s convert_low_i32x4_u"), 1, 1),
];
