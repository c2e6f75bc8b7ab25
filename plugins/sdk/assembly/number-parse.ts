import { Bignum } from "./bignum";

/** Powers of ten that are exact in an f64. */
// prettier-ignore
const POWERS: StaticArray<f64> = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/** More significant digits than this can't change a rounding, except by being there at all. */
const MAX_DIGITS: i32 = 770;

const left = new Bignum();
const right = new Bignum();

/**
 * Reads a decimal number that fills the whole slice, correctly rounded: `[+-] digits [. digits] [e [+-] digits]`, with at least
 * one digit before or after the point. NaN when the text is anything else; an infinity when it is out of range.
 */
export function parseNumber(start: usize, length: usize): f64 {
  const end = start + length;
  let at = start;
  const negative = at < end && load<u8>(at) == 0x2d;
  if (negative || (at < end && load<u8>(at) == 0x2b)) at++;
  const digitsStart = at;
  let significand: u64 = 0;
  let exponent: i32 = 0;
  let truncated = false;
  let digits: i32 = 0;
  let fraction = false;
  for (; at < end; at++) {
    const digit = <u32>load<u8>(at) - 48;
    if (digit > 9) {
      if (digit != <u32>(0x2e - 48) || fraction) break;
      fraction = true;
      continue;
    }
    digits++;
    if (significand < 1000000000000000000) {
      significand = significand * 10 + digit;
      if (fraction) exponent--;
    } else {
      if (digit != 0) truncated = true;
      if (!fraction) exponent++;
    }
  }
  if (digits == 0) return NaN;
  const digitsEnd = at;
  if (at < end) {
    if ((load<u8>(at) | 0x20) != 0x65) return NaN;
    const written = parseExponent(at + 1, end);
    if (written == i32.MIN_VALUE) return NaN;
    exponent += written;
  }
  let magnitude: f64 = 0;
  if (!truncated && significand <= 9007199254740992 && exponent >= -22 && exponent <= 22) {
    magnitude = shortCut(<f64>significand, exponent);
  } else if (!truncated && exponent >= 0 && exponent <= 27) magnitude = multiplyWide(significand, exponent);
  else if (!truncated && exponent < 0 && exponent >= -27) magnitude = divideWide(significand, -exponent);
  else magnitude = roundExactly(significand, exponent, truncated, digitsStart, digitsEnd);
  return negative ? -magnitude : magnitude;
}

/** The exponent's digits, clamped to +-99,999,999; i32.MIN_VALUE when they are malformed. */
function parseExponent(from: usize, end: usize): i32 {
  let at = from;
  const negative = at < end && load<u8>(at) == 0x2d;
  if (negative || (at < end && load<u8>(at) == 0x2b)) at++;
  if (at == end) return i32.MIN_VALUE;
  let value: i32 = 0;
  for (; at < end; at++) {
    const digit = <u32>load<u8>(at) - 48;
    if (digit > 9) return i32.MIN_VALUE;
    if (value < 9999999) value = value * 10 + <i32>digit;
  }
  return negative ? -value : value;
}

/** Both operands are exact, so the one operation rounds correctly. */
function shortCut(significand: f64, exponent: i32): f64 {
  if (exponent == 0) return significand;
  return exponent > 0 ? significand * unchecked(POWERS[exponent]) : significand / unchecked(POWERS[-exponent]);
}

/** significand * 10^exponent, by an exact 128-bit product: 5^27 fits 64 bits. */
function multiplyWide(significand: u64, exponent: i32): f64 {
  const five = powerOfFive(exponent);
  const low = (significand & 0xffffffff) * (five & 0xffffffff);
  const cross = (significand >> 32) * (five & 0xffffffff) + (low >> 32);
  const middle = (significand & 0xffffffff) * (five >> 32) + (cross & 0xffffffff);
  const top = (significand >> 32) * (five >> 32) + (cross >> 32) + (middle >> 32);
  const bottom = (middle << 32) | (low & 0xffffffff);
  if (top == 0) return roundWide(bottom, false, exponent);
  const shift = clz(top);
  const wide = shift == 0 ? top : (top << shift) | (bottom >> (64 - shift));
  return roundWide(wide, bottom << shift != 0, exponent + 64 - <i32>shift);
}

/** significand / 10^exponent, by long division to 64 bits; the remainder decides what lies on a midpoint. */
function divideWide(significand: u64, exponent: i32): f64 {
  if (significand == 0) return 0;
  const five = powerOfFive(exponent);
  const divisor = five << clz(five);
  let rest = significand << clz(significand);
  let quotient: u64 = 0;
  let carry = false;
  for (let i = 0; i < 64; i++) {
    quotient <<= 1;
    if (carry || rest >= divisor) {
      rest -= divisor;
      quotient |= 1;
    }
    carry = rest >> 63 != 0;
    rest <<= 1;
  }
  return roundWide(quotient, carry || rest != 0, <i32>clz(five) - <i32>clz(significand) - 63 - exponent);
}

function powerOfFive(exponent: i32): u64 {
  let power: u64 = 1;
  for (let i = 0; i < exponent; i++) power *= 5;
  return power;
}

/** (value and, when `more`, a little) * 2^power, to the nearest f64, ties to even; far from both ends of the range. */
function roundWide(value: u64, more: bool, power: i32): f64 {
  if (value == 0) return 0;
  const shift = clz(value);
  const wide = value << shift;
  const rest = wide & 0x7ff;
  let whole = wide >> 11;
  if (rest > 0x400 || (rest == 0x400 && (more || (whole & 1) == 1))) whole++;
  return <f64>whole * reinterpret<f64>(<u64>(1023 + power + 11 - <i32>shift) << 52);
}

/** A guess that is a few units off at most, moved until the exact decimal lies between its two midpoints; ties go to even. */
function roundExactly(significand: u64, exponent: i32, truncated: bool, digitsStart: usize, digitsEnd: usize): f64 {
  if (significand == 0) return 0;
  // significand is at least 1 and below 10^19.
  if (exponent > 310) return Infinity;
  if (exponent < -345) return 0;
  let guess = <f64>significand;
  let rest = exponent;
  for (; rest > 22; rest -= 22) guess *= 1e22;
  for (; rest < -22; rest += 22) guess /= 1e22;
  guess = min(shortCut(guess, rest), f64.MAX_VALUE);
  let bits = reinterpret<u64>(guess);
  while (true) {
    const odd = (bits & 1) == 1;
    const above = compareToMidpoint(bits, significand, exponent, truncated, digitsStart, digitsEnd);
    if (above > 0 || (above == 0 && odd)) {
      bits++;
      if (bits == 0x7ff0000000000000) return Infinity;
      continue;
    }
    if (bits == 0) return 0;
    const below = compareToMidpoint(bits - 1, significand, exponent, truncated, digitsStart, digitsEnd);
    if (below > 0 || (below == 0 && !odd)) return reinterpret<f64>(bits);
    bits--;
  }
}

/** Orders the decimal against the midpoint between the f64 with these bits and the next one. */
function compareToMidpoint(bits: u64, significand: u64, exponent: i32, truncated: bool, from: usize, to: usize): i32 {
  const biased = <i32>(bits >> 52);
  const fraction = bits & 0x000fffffffffffff;
  const whole = biased == 0 ? fraction : fraction | 0x0010000000000000;
  const power = (biased == 0 ? 1 : biased) - 1076;
  let ten = exponent;
  if (truncated) ten -= readDigits(from, to);
  else left.set(significand);
  right.set((whole << 1) + 1);
  if (ten >= 0) left.multiplyPowerOfTen(ten);
  else right.multiplyPowerOfTen(-ten);
  if (power >= 0) right.shiftLeft(power);
  else left.shiftLeft(-power);
  return left.compare(right);
}

/** Puts up to MAX_DIGITS significant digits in `left`, then a 1 if more than zeros follow; returns how many more than 19 there are. */
function readDigits(from: usize, to: usize): i32 {
  left.set(0);
  let taken: i32 = 0;
  let sticky = false;
  for (let at = from; at < to; at++) {
    const digit = <u32>load<u8>(at) - 48;
    if (digit > 9 || (taken == 0 && digit == 0)) continue;
    if (taken < MAX_DIGITS) {
      left.multiplyAdd(10, digit);
      taken++;
    } else if (digit != 0) sticky = true;
  }
  if (sticky) {
    left.multiplyAdd(10, 1);
    taken++;
  }
  return taken - 19;
}
