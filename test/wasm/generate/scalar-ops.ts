import type { ValueType } from "./tree.js";

/** What follows the opcode of a plain instruction. */
export type OperandForm = "none" | "memarg" | "lane" | "memarg-lane" | "shuffle";

/** How operands are kept from trapping most of the time. */
export type Guard = "address" | "divisor" | "trunc";

/** An instruction whose types are fixed. `width` is its natural alignment (log 2), `lanes` the number of its lanes. */
export type PlainOp = {
  readonly name: string;
  readonly code: readonly number[];
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly form: OperandForm;
  readonly width: number;
  readonly lanes: number;
  /** Shape of a result that may be a new NaN. */
  readonly nan: "f32" | "f64" | "f32x4" | "f64x2" | null;
  readonly guard: Guard | null;
};

const letters: Readonly<Record<string, ValueType>> = { i: "i32", l: "i64", f: "f32", d: "f64", v: "v128" };

/** `ll>i` is two i64 operands and an i32 result. */
function signature(text: string): { params: ValueType[]; results: ValueType[] } {
  const [params = "", results = ""] = text.split(">");
  const read = (part: string): ValueType[] => Array.from(part, (letter) => letters[letter] as ValueType);
  return { params: read(params), results: read(results) };
}

type Extra = Partial<Pick<PlainOp, "form" | "width" | "lanes" | "nan" | "guard">>;

/** One instruction from its signature. */
export function plain(name: string, code: readonly number[], types: string, extra: Extra = {}): PlainOp {
  return { name, code, ...signature(types), form: "none", width: 0, lanes: 0, nan: null, guard: null, ...extra };
}

/** Instructions with consecutive one-byte opcodes and one signature. */
function run(first: number, prefix: string, names: string, types: string, extra: Extra = {}): PlainOp[] {
  return names.split(" ").map((name, index) => plain(`${prefix}.${name}`, [first + index], types, extra));
}

const address = (width: number): Extra => ({ form: "memarg", width, guard: "address" });
const divisor = { guard: "divisor" } as const;
const trunc = { guard: "trunc" } as const;

const compare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const order = "eq ne lt gt le ge";

/** Every instruction with fixed types that is not SIMD, written down from the specification's own tables. */
export const scalarOps: readonly PlainOp[] = [
  ...run(0x28, "i32", "load", "i>i", address(2)),
  ...run(0x29, "i64", "load", "i>l", address(3)),
  ...run(0x2a, "f32", "load", "i>f", address(2)),
  ...run(0x2b, "f64", "load", "i>d", address(3)),
  ...run(0x2c, "i32", "load8_s load8_u", "i>i", address(0)),
  ...run(0x2e, "i32", "load16_s load16_u", "i>i", address(1)),
  ...run(0x30, "i64", "load8_s load8_u", "i>l", address(0)),
  ...run(0x32, "i64", "load16_s load16_u", "i>l", address(1)),
  ...run(0x34, "i64", "load32_s load32_u", "i>l", address(2)),
  ...run(0x36, "i32", "store", "ii>", address(2)),
  ...run(0x37, "i64", "store", "il>", address(3)),
  ...run(0x38, "f32", "store", "if>", address(2)),
  ...run(0x39, "f64", "store", "id>", address(3)),
  ...run(0x3a, "i32", "store8", "ii>", address(0)),
  ...run(0x3b, "i32", "store16", "ii>", address(1)),
  ...run(0x3c, "i64", "store8", "il>", address(0)),
  ...run(0x3d, "i64", "store16", "il>", address(1)),
  ...run(0x3e, "i64", "store32", "il>", address(2)),
  ...run(0x45, "i32", "eqz", "i>i"),
  ...run(0x46, "i32", compare, "ii>i"),
  ...run(0x50, "i64", "eqz", "l>i"),
  ...run(0x51, "i64", compare, "ll>i"),
  ...run(0x5b, "f32", order, "ff>i"),
  ...run(0x61, "f64", order, "dd>i"),
  ...run(0x67, "i32", "clz ctz popcnt", "i>i"),
  ...run(0x6a, "i32", "add sub mul", "ii>i"),
  ...run(0x6d, "i32", "div_s div_u rem_s rem_u", "ii>i", divisor),
  ...run(0x71, "i32", "and or xor shl shr_s shr_u rotl rotr", "ii>i"),
  ...run(0x79, "i64", "clz ctz popcnt", "l>l"),
  ...run(0x7c, "i64", "add sub mul", "ll>l"),
  ...run(0x7f, "i64", "div_s div_u rem_s rem_u", "ll>l", divisor),
  ...run(0x83, "i64", "and or xor shl shr_s shr_u rotl rotr", "ll>l"),
  ...run(0x8b, "f32", "abs neg", "f>f"),
  ...run(0x8d, "f32", "ceil floor trunc nearest sqrt", "f>f", { nan: "f32" }),
  ...run(0x92, "f32", "add sub mul div min max", "ff>f", { nan: "f32" }),
  ...run(0x98, "f32", "copysign", "ff>f"),
  ...run(0x99, "f64", "abs neg", "d>d"),
  ...run(0x9b, "f64", "ceil floor trunc nearest sqrt", "d>d", { nan: "f64" }),
  ...run(0xa0, "f64", "add sub mul div min max", "dd>d", { nan: "f64" }),
  ...run(0xa6, "f64", "copysign", "dd>d"),
  ...run(0xa7, "i32", "wrap_i64", "l>i"),
  ...run(0xa8, "i32", "trunc_f32_s trunc_f32_u", "f>i", trunc),
  ...run(0xaa, "i32", "trunc_f64_s trunc_f64_u", "d>i", trunc),
  ...run(0xac, "i64", "extend_i32_s extend_i32_u", "i>l"),
  ...run(0xae, "i64", "trunc_f32_s trunc_f32_u", "f>l", trunc),
  ...run(0xb0, "i64", "trunc_f64_s trunc_f64_u", "d>l", trunc),
  ...run(0xb2, "f32", "convert_i32_s convert_i32_u", "i>f"),
  ...run(0xb4, "f32", "convert_i64_s convert_i64_u", "l>f"),
  ...run(0xb6, "f32", "demote_f64", "d>f", { nan: "f32" }),
  ...run(0xb7, "f64", "convert_i32_s convert_i32_u", "i>d"),
  ...run(0xb9, "f64", "convert_i64_s convert_i64_u", "l>d"),
  ...run(0xbb, "f64", "promote_f32", "f>d", { nan: "f64" }),
  ...run(0xbc, "i32", "reinterpret_f32", "f>i"),
  ...run(0xbd, "i64", "reinterpret_f64", "d>l"),
  ...run(0xbe, "f32", "reinterpret_i32", "i>f"),
  ...run(0xbf, "f64", "reinterpret_i64", "l>d"),
  ...run(0xc0, "i32", "extend8_s extend16_s", "i>i"),
  ...run(0xc2, "i64", "extend8_s extend16_s extend32_s", "l>l"),
  ..."i32 i64"
    .split(" ")
    .flatMap((type, group) =>
      "f32_s f32_u f64_s f64_u"
        .split(" ")
        .map((from, index) =>
          plain(
            `${type}.trunc_sat_${from}`,
            [0xfc, 4 * group + index],
            `${from.startsWith("f32") ? "f" : "d"}>${type === "i32" ? "i" : "l"}`,
          ),
        ),
    ),
];

/** Opcodes of the instructions whose types depend on where they stand. */
export const otherCodes: Readonly<Record<string, readonly number[]>> = {
  unreachable: [0x00],
  nop: [0x01],
  block: [0x02],
  loop: [0x03],
  if: [0x04],
  else: [0x05],
  end: [0x0b],
  br: [0x0c],
  br_if: [0x0d],
  br_table: [0x0e],
  return: [0x0f],
  call: [0x10],
  call_indirect: [0x11],
  drop: [0x1a],
  select: [0x1b],
  select_t: [0x1c],
  "local.get": [0x20],
  "local.set": [0x21],
  "local.tee": [0x22],
  "global.get": [0x23],
  "global.set": [0x24],
  "table.get": [0x25],
  "table.set": [0x26],
  "memory.size": [0x3f],
  "memory.grow": [0x40],
  "i32.const": [0x41],
  "i64.const": [0x42],
  "f32.const": [0x43],
  "f64.const": [0x44],
  "ref.null": [0xd0],
  "ref.is_null": [0xd1],
  "ref.func": [0xd2],
  "memory.init": [0xfc, 8],
  "data.drop": [0xfc, 9],
  "memory.copy": [0xfc, 10],
  "memory.fill": [0xfc, 11],
  "table.init": [0xfc, 12],
  "elem.drop": [0xfc, 13],
  "table.copy": [0xfc, 14],
  "table.size": [0xfc, 16],
  "table.fill": [0xfc, 17],
  "v128.const": [0xfd, 12],
};
