import type { Random } from "./random.js";
import type { Immediate, ValueType } from "./tree.js";

const i32Pool = [0, 1, -1, 2, 7, 8, 31, 32, 63, 64, 255, 256, 0x7fff, 0xffff, 0x7fff_ffff, -0x8000_0000, 0x5555_5555];
const i64Pool = [0n, 1n, -1n, 3n, 63n, 64n, 255n, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, -0x8000_0000_0000_0000n];

/** Bit patterns: zeros, ones, extremes, infinities, and NaNs of every sort: canonical, negative, payload, signalling. */
const f32Pool = [
  0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x4120_0000, 0x3eaa_aaab, 1, 0x7f7f_ffff, 0x7f80_0000, 0xff80_0000,
  0x7fc0_0000, 0xffc0_0000, 0x7fa0_1234, 0xffe0_0001, 0x7f80_0001,
];
const f64Pool = [
  0n,
  0x8000_0000_0000_0000n,
  0x3ff0_0000_0000_0000n,
  0xbff0_0000_0000_0000n,
  0x4024_0000_0000_0000n,
  0x3fd5_5555_5555_5555n,
  1n,
  0x7fef_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n,
  0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_0000n,
  0xfff8_0000_0000_0000n,
  0x7ff4_0000_0000_1234n,
  0xfffc_0000_0000_0001n,
  0x7ff0_0000_0000_0001n,
];

function littleEndian(value: bigint, size: number): number[] {
  return Array.from({ length: size }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

/** An i32, often an extreme one. */
export function anyI32(random: Random): number {
  return random.chance(0.6) ? random.one(i32Pool) : random.chance(0.5) ? random.next(64) - 8 : random.bits() | 0;
}

/** An i64, often an extreme one. */
export function anyI64(random: Random): bigint {
  const wide = (BigInt(random.bits()) << 32n) | BigInt(random.bits());
  return random.chance(0.7) ? random.one(i64Pool) : BigInt.asIntN(64, wide);
}

function f32Bytes(random: Random): number[] {
  return littleEndian(BigInt(random.chance(0.85) ? random.one(f32Pool) : random.bits()), 4);
}

function f64Bytes(random: Random): number[] {
  const wide = (BigInt(random.bits()) << 32n) | BigInt(random.bits());
  return littleEndian(random.chance(0.85) ? random.one(f64Pool) : wide, 8);
}

function v128Bytes(random: Random): number[] {
  const lanes = random.next(4);
  if (lanes === 0) {
    return [...f64Bytes(random), ...f64Bytes(random)];
  }
  if (lanes === 1) {
    return Array.from({ length: 4 }, () => f32Bytes(random)).flat();
  }
  return Array.from({ length: 16 }, () => (lanes === 2 ? random.next(4) : random.next(256)));
}

/** A constant of a type: the instruction's name and its immediates. */
export function anyConstant(random: Random, type: ValueType): readonly [name: string, immediates: Immediate[]] {
  switch (type) {
    case "i32":
      return ["i32.const", [{ kind: "i32", value: anyI32(random) }]];
    case "i64":
      return ["i64.const", [{ kind: "i64", value: anyI64(random) }]];
    case "f32":
      return ["f32.const", [{ kind: "bytes", value: f32Bytes(random) }]];
    case "f64":
      return ["f64.const", [{ kind: "bytes", value: f64Bytes(random) }]];
    case "v128":
      return ["v128.const", [{ kind: "bytes", value: v128Bytes(random) }]];
    default:
      return ["ref.null", [{ kind: "bytes", value: [type === "funcref" ? 0x70 : 0x6f] }]];
  }
}

/** Zero, or null. */
export function zeroConstant(type: ValueType): readonly [name: string, immediates: Immediate[]] {
  switch (type) {
    case "i32":
      return ["i32.const", [{ kind: "i32", value: 0 }]];
    case "i64":
      return ["i64.const", [{ kind: "i64", value: 0n }]];
    case "funcref":
    case "externref":
      return ["ref.null", [{ kind: "bytes", value: [type === "funcref" ? 0x70 : 0x6f] }]];
    default:
      return [
        `${type}.const`,
        [{ kind: "bytes", value: new Array<number>(type === "f32" ? 4 : type === "f64" ? 8 : 16).fill(0) }],
      ];
  }
}
