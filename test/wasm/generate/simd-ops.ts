import { type PlainOp, plain } from "./scalar-ops.js";

type Extra = NonNullable<Parameters<typeof plain>[3]>;

/** `sub:name` entries separated by spaces, the sub-opcode in hexadecimal; all of one signature. */
function group(prefix: string, entries: string, types: string, extra: Extra = {}): PlainOp[] {
  return entries.split(" ").map((entry) => {
    const [sub = "", name = ""] = entry.split(":");
    const code = Number.parseInt(sub, 16);
    return plain(
      `${prefix}.${name}`,
      [0xfd, ...(code < 0x80 ? [code] : [(code & 0x7f) | 0x80, code >> 7])],
      types,
      extra,
    );
  });
}

const memory = (width: number): Extra => ({ form: "memarg", width, guard: "address" });
const laneMemory = (width: number): Extra => ({
  form: "memarg-lane",
  width,
  lanes: 16 >> width,
  guard: "address",
});
const lane = (lanes: number): Extra => ({ form: "lane", lanes });
const f32x4 = { nan: "f32x4" } as const;
const f64x2 = { nan: "f64x2" } as const;

/** Every instruction of 128-bit SIMD but v128.const, written down from the specification's own tables. */
export const simdOps: readonly PlainOp[] = [
  // memory
  ...group("v128", "0:load", "i>v", memory(4)),
  ...group("v128", "1:load8x8_s 2:load8x8_u 3:load16x4_s 4:load16x4_u 5:load32x2_s 6:load32x2_u", "i>v", memory(3)),
  ...group("v128", "7:load8_splat", "i>v", memory(0)),
  ...group("v128", "8:load16_splat", "i>v", memory(1)),
  ...group("v128", "9:load32_splat 5c:load32_zero", "i>v", memory(2)),
  ...group("v128", "a:load64_splat 5d:load64_zero", "i>v", memory(3)),
  ...group("v128", "b:store", "iv>", memory(4)),
  ...group("v128", "54:load8_lane", "iv>v", laneMemory(0)),
  ...group("v128", "55:load16_lane", "iv>v", laneMemory(1)),
  ...group("v128", "56:load32_lane", "iv>v", laneMemory(2)),
  ...group("v128", "57:load64_lane", "iv>v", laneMemory(3)),
  ...group("v128", "58:store8_lane", "iv>", laneMemory(0)),
  ...group("v128", "59:store16_lane", "iv>", laneMemory(1)),
  ...group("v128", "5a:store32_lane", "iv>", laneMemory(2)),
  ...group("v128", "5b:store64_lane", "iv>", laneMemory(3)),
  // lanes
  ...group("i8x16", "d:shuffle", "vv>v", { form: "shuffle", lanes: 32 }),
  ...group("i8x16", "e:swizzle", "vv>v"),
  ...group("i8x16", "f:splat", "i>v"),
  ...group("i16x8", "10:splat", "i>v"),
  ...group("i32x4", "11:splat", "i>v"),
  ...group("i64x2", "12:splat", "l>v"),
  ...group("f32x4", "13:splat", "f>v"),
  ...group("f64x2", "14:splat", "d>v"),
  ...group("i8x16", "15:extract_lane_s 16:extract_lane_u", "v>i", lane(16)),
  ...group("i8x16", "17:replace_lane", "vi>v", lane(16)),
  ...group("i16x8", "18:extract_lane_s 19:extract_lane_u", "v>i", lane(8)),
  ...group("i16x8", "1a:replace_lane", "vi>v", lane(8)),
  ...group("i32x4", "1b:extract_lane", "v>i", lane(4)),
  ...group("i32x4", "1c:replace_lane", "vi>v", lane(4)),
  ...group("i64x2", "1d:extract_lane", "v>l", lane(2)),
  ...group("i64x2", "1e:replace_lane", "vl>v", lane(2)),
  ...group("f32x4", "1f:extract_lane", "v>f", lane(4)),
  ...group("f32x4", "20:replace_lane", "vf>v", lane(4)),
  ...group("f64x2", "21:extract_lane", "v>d", lane(2)),
  ...group("f64x2", "22:replace_lane", "vd>v", lane(2)),
  // comparisons
  ...group("i8x16", "23:eq 24:ne 25:lt_s 26:lt_u 27:gt_s 28:gt_u 29:le_s 2a:le_u 2b:ge_s 2c:ge_u", "vv>v"),
  ...group("i16x8", "2d:eq 2e:ne 2f:lt_s 30:lt_u 31:gt_s 32:gt_u 33:le_s 34:le_u 35:ge_s 36:ge_u", "vv>v"),
  ...group("i32x4", "37:eq 38:ne 39:lt_s 3a:lt_u 3b:gt_s 3c:gt_u 3d:le_s 3e:le_u 3f:ge_s 40:ge_u", "vv>v"),
  ...group("f32x4", "41:eq 42:ne 43:lt 44:gt 45:le 46:ge", "vv>v"),
  ...group("f64x2", "47:eq 48:ne 49:lt 4a:gt 4b:le 4c:ge", "vv>v"),
  ...group("i64x2", "d6:eq d7:ne d8:lt_s d9:gt_s da:le_s db:ge_s", "vv>v"),
  // bits
  ...group("v128", "4d:not", "v>v"),
  ...group("v128", "4e:and 4f:andnot 50:or 51:xor", "vv>v"),
  ...group("v128", "52:bitselect", "vvv>v"),
  ...group("v128", "53:any_true", "v>i"),
  // conversions
  ...group("f32x4", "5e:demote_f64x2_zero", "v>v", f32x4),
  ...group("f64x2", "5f:promote_low_f32x4", "v>v", f64x2),
  ...group("i32x4", "f8:trunc_sat_f32x4_s f9:trunc_sat_f32x4_u", "v>v"),
  ...group("f32x4", "fa:convert_i32x4_s fb:convert_i32x4_u", "v>v"),
  ...group("i32x4", "fc:trunc_sat_f64x2_s_zero fd:trunc_sat_f64x2_u_zero", "v>v"),
  ...group("f64x2", "fe:convert_low_i32x4_s ff:convert_low_i32x4_u", "v>v"),
  // integers
  ...group("i8x16", "60:abs 61:neg 62:popcnt", "v>v"),
  ...group("i8x16", "63:all_true 64:bitmask", "v>i"),
  ...group("i8x16", "65:narrow_i16x8_s 66:narrow_i16x8_u", "vv>v"),
  ...group("i8x16", "6b:shl 6c:shr_s 6d:shr_u", "vi>v"),
  ...group("i8x16", "6e:add 6f:add_sat_s 70:add_sat_u 71:sub 72:sub_sat_s 73:sub_sat_u", "vv>v"),
  ...group("i8x16", "76:min_s 77:min_u 78:max_s 79:max_u 7b:avgr_u", "vv>v"),
  ...group("i16x8", "7c:extadd_pairwise_i8x16_s 7d:extadd_pairwise_i8x16_u", "v>v"),
  ...group("i32x4", "7e:extadd_pairwise_i16x8_s 7f:extadd_pairwise_i16x8_u", "v>v"),
  ...group("i16x8", "80:abs 81:neg", "v>v"),
  ...group("i16x8", "82:q15mulr_sat_s 85:narrow_i32x4_s 86:narrow_i32x4_u", "vv>v"),
  ...group("i16x8", "83:all_true 84:bitmask", "v>i"),
  ...group("i16x8", "87:extend_low_i8x16_s 88:extend_high_i8x16_s 89:extend_low_i8x16_u 8a:extend_high_i8x16_u", "v>v"),
  ...group("i16x8", "8b:shl 8c:shr_s 8d:shr_u", "vi>v"),
  ...group("i16x8", "8e:add 8f:add_sat_s 90:add_sat_u 91:sub 92:sub_sat_s 93:sub_sat_u 95:mul", "vv>v"),
  ...group("i16x8", "96:min_s 97:min_u 98:max_s 99:max_u 9b:avgr_u", "vv>v"),
  ...group("i16x8", "9c:extmul_low_i8x16_s 9d:extmul_high_i8x16_s 9e:extmul_low_i8x16_u", "vv>v"),
  ...group("i16x8", "9f:extmul_high_i8x16_u", "vv>v"),
  ...group("i32x4", "a0:abs a1:neg", "v>v"),
  ...group("i32x4", "a3:all_true a4:bitmask", "v>i"),
  ...group("i32x4", "a7:extend_low_i16x8_s a8:extend_high_i16x8_s a9:extend_low_i16x8_u aa:extend_high_i16x8_u", "v>v"),
  ...group("i32x4", "ab:shl ac:shr_s ad:shr_u", "vi>v"),
  ...group("i32x4", "ae:add b1:sub b5:mul b6:min_s b7:min_u b8:max_s b9:max_u ba:dot_i16x8_s", "vv>v"),
  ...group("i32x4", "bc:extmul_low_i16x8_s bd:extmul_high_i16x8_s be:extmul_low_i16x8_u", "vv>v"),
  ...group("i32x4", "bf:extmul_high_i16x8_u", "vv>v"),
  ...group("i64x2", "c0:abs c1:neg", "v>v"),
  ...group("i64x2", "c3:all_true c4:bitmask", "v>i"),
  ...group("i64x2", "c7:extend_low_i32x4_s c8:extend_high_i32x4_s c9:extend_low_i32x4_u ca:extend_high_i32x4_u", "v>v"),
  ...group("i64x2", "cb:shl cc:shr_s cd:shr_u", "vi>v"),
  ...group("i64x2", "ce:add d1:sub d5:mul", "vv>v"),
  ...group("i64x2", "dc:extmul_low_i32x4_s dd:extmul_high_i32x4_s de:extmul_low_i32x4_u", "vv>v"),
  ...group("i64x2", "df:extmul_high_i32x4_u", "vv>v"),
  // floats
  ...group("f32x4", "67:ceil 68:floor 69:trunc 6a:nearest e3:sqrt", "v>v", f32x4),
  ...group("f64x2", "74:ceil 75:floor 7a:trunc 94:nearest ef:sqrt", "v>v", f64x2),
  ...group("f32x4", "e0:abs e1:neg", "v>v"),
  ...group("f64x2", "ec:abs ed:neg", "v>v"),
  ...group("f32x4", "e4:add e5:sub e6:mul e7:div e8:min e9:max", "vv>v", f32x4),
  ...group("f64x2", "f0:add f1:sub f2:mul f3:div f4:min f5:max", "vv>v", f64x2),
  ...group("f32x4", "ea:pmin eb:pmax", "vv>v"),
  ...group("f64x2", "f6:pmin f7:pmax", "vv>v"),
];
