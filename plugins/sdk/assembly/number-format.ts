import { Bignum } from "./bignum";

/** 2^53 - 1: beyond it integers have no exact place in canonical JSON. */
export const MAX_SAFE_INTEGER: f64 = 9007199254740991;

const numerator = new Bignum();
const denominator = new Bignum();
const deltaMinus = new Bignum();
const deltaPlus = new Bignum();
const sum = new Bignum();
const digits = new StaticArray<u8>(20);
let digitCount: i32 = 0;

/**
 * The number as ECMAScript prints it: the shortest digits that read back as the same f64, the closest of them to the value.
 * Minus zero prints as "0"; NaN and infinities as in ECMAScript, which is no JSON: JsonWriter.number takes care of them.
 */
export function formatNumber(value: f64): string {
  if (isNaN(value)) return "NaN";
  if (value < 0) return "-" + formatNumber(-value);
  if (!isFinite(value)) return "Infinity";
  if (value <= MAX_SAFE_INTEGER && value == Math.floor(value)) return (<u64>value).toString();
  return layOut(shortestDigits(value));
}

/**
 * Fills `digits` by exact integer arithmetic (Steele and White's free-format algorithm, as V8's own slow path has it) and returns
 * the position of the decimal point: value = 0.d1d2... * 10^point. AssemblyScript's built-in conversion is Grisu2, which is
 * not the shortest for one number in a thousand.
 */
function shortestDigits(value: f64): i32 {
  const bits = reinterpret<u64>(value);
  const biased = <i32>(bits >> 52);
  const fraction = bits & 0x000fffffffffffff;
  const significand = biased == 0 ? fraction : fraction | 0x0010000000000000;
  const exponent = (biased == 0 ? 1 : biased) - 1075;
  const even = (significand & 1) == 0;
  const length = 64 - <i32>clz<u64>(significand);
  let point = <i32>Math.ceil(<f64>(exponent + length - 1) * 0.30102999566398114 - 1e-10);
  scale(significand, exponent, point, fraction == 0 && biased > 1);
  if (reaches(even)) point++;
  else multiplyAll();

  digitCount = 0;
  while (true) {
    let digit = 0;
    while (numerator.compare(denominator) >= 0) {
      numerator.subtract(denominator);
      digit++;
    }
    const below = numerator.compare(deltaMinus);
    const roomBelow = even ? below <= 0 : below < 0;
    const roomAbove = reaches(even);
    if (roomBelow && roomAbove) {
      sum.assign(numerator);
      sum.add(numerator);
      const half = sum.compare(denominator);
      if (half > 0 || (half == 0 && (digit & 1) == 1)) digit++;
    } else if (roomAbove) digit++;
    digits[digitCount++] = <u8>digit;
    if (roomBelow || roomAbove) return point;
    multiplyAll();
  }
}

/** numerator / denominator = value / 10^point, and the deltas are half the gaps to the neighbours, in the same unit. */
function scale(significand: u64, exponent: i32, point: i32, lowerIsCloser: bool): void {
  numerator.set(significand);
  denominator.set(1);
  deltaMinus.set(1);
  if (point >= 0) denominator.multiplyPowerOfTen(point);
  else {
    numerator.multiplyPowerOfTen(-point);
    deltaMinus.multiplyPowerOfTen(-point);
  }
  // One doubling so that half a gap is an integer, a second one below a power of two, where the lower gap is half the upper.
  const extra = lowerIsCloser ? 2 : 1;
  numerator.shiftLeft(max(exponent, 0) + extra);
  deltaMinus.shiftLeft(max(exponent, 0));
  denominator.shiftLeft(max(-exponent, 0) + extra);
  deltaPlus.assign(deltaMinus);
  if (lowerIsCloser) deltaPlus.shiftLeft(1);
}

/** Whether the upper neighbour's half gap reaches the next digit. */
function reaches(even: bool): bool {
  sum.assign(numerator);
  sum.add(deltaPlus);
  const order = sum.compare(denominator);
  return even ? order >= 0 : order > 0;
}

function multiplyAll(): void {
  numerator.multiplyAdd(10, 0);
  deltaMinus.multiplyAdd(10, 0);
  deltaPlus.multiplyAdd(10, 0);
}

/** ECMAScript's Number::toString over the digits. */
function layOut(point: i32): string {
  if (point > 21 || point <= -6) {
    const exponent = point - 1;
    const mantissa = digitCount == 1 ? digitText(0, 1) : digitText(0, 1) + "." + digitText(1, digitCount);
    return mantissa + (exponent < 0 ? "e-" : "e+") + abs(exponent).toString();
  }
  if (point <= 0) return "0." + "0".repeat(-point) + digitText(0, digitCount);
  if (point >= digitCount) return digitText(0, digitCount) + "0".repeat(point - digitCount);
  return digitText(0, point) + "." + digitText(point, digitCount);
}

function digitText(from: i32, to: i32): string {
  const ascii = new StaticArray<u8>(to - from);
  for (let i = from; i < to; i++) ascii[i - from] = 48 + digits[i];
  return String.UTF8.decodeUnsafe(changetype<usize>(ascii), ascii.length);
}
