/** Limbs of 32 bits: the widest number met is a 771-digit decimal shifted by 1075 bits, about 3,700 bits. */
const LIMBS: i32 = 160;

/** A non-negative integer of up to 5,120 bits, for the rare places where 64 bits do not decide a rounding. */
export class Bignum {
  private limbs: StaticArray<u32> = new StaticArray<u32>(LIMBS);
  private used: i32 = 0;

  /** Sets the value. */
  set(value: u64): void {
    unchecked((this.limbs[0] = <u32>value));
    unchecked((this.limbs[1] = <u32>(value >> 32)));
    this.used = value > 0xffffffff ? 2 : value == 0 ? 0 : 1;
  }

  /** this = this * factor + addend */
  multiplyAdd(factor: u32, addend: u32): void {
    let carry: u64 = addend;
    for (let i = 0; i < this.used; i++) {
      carry += <u64>unchecked(this.limbs[i]) * factor;
      unchecked((this.limbs[i] = <u32>carry));
      carry >>= 32;
    }
    if (carry != 0) this.limbs[this.used++] = <u32>carry;
  }

  /** this = this * 10^exponent */
  multiplyPowerOfTen(exponent: i32): void {
    for (; exponent >= 9; exponent -= 9) this.multiplyAdd(1000000000, 0);
    for (; exponent > 0; exponent--) this.multiplyAdd(10, 0);
  }

  /** this = this * 2^bits */
  shiftLeft(bits: i32): void {
    if (this.used == 0) return;
    const words = bits >> 5;
    const rest = <u32>(bits & 31);
    this.limbs[this.used + words] = 0;
    for (let i = this.used - 1; i >= 0; i--) {
      const wide = <u64>unchecked(this.limbs[i]) << rest;
      const above = unchecked(this.limbs[i + words + 1]);
      unchecked((this.limbs[i + words + 1] = (i == this.used - 1 ? 0 : above) | <u32>(wide >> 32)));
      unchecked((this.limbs[i + words] = <u32>wide));
    }
    for (let i = 0; i < words; i++) unchecked((this.limbs[i] = 0));
    this.used += words + 1;
    this.trim();
  }

  /** this = this - other, which must not be greater. */
  subtract(other: Bignum): void {
    let borrow: i64 = 0;
    for (let i = 0; i < this.used; i++) {
      borrow += <i64>unchecked(this.limbs[i]) - (i < other.used ? <i64>unchecked(other.limbs[i]) : 0);
      unchecked((this.limbs[i] = <u32>borrow));
      borrow >>= 32;
    }
    this.trim();
  }

  /** this = this + other */
  add(other: Bignum): void {
    const length = max(this.used, other.used);
    let carry: u64 = 0;
    for (let i = 0; i < length; i++) {
      carry += i < this.used ? <u64>unchecked(this.limbs[i]) : 0;
      carry += i < other.used ? <u64>unchecked(other.limbs[i]) : 0;
      unchecked((this.limbs[i] = <u32>carry));
      carry >>= 32;
    }
    this.used = length;
    if (carry != 0) this.limbs[this.used++] = <u32>carry;
  }

  /** Takes the value of another. */
  assign(other: Bignum): void {
    memory.copy(changetype<usize>(this.limbs), changetype<usize>(other.limbs), <usize>other.used << 2);
    this.used = other.used;
  }

  /** -1, 0 or 1 */
  compare(other: Bignum): i32 {
    if (this.used != other.used) return this.used < other.used ? -1 : 1;
    for (let i = this.used - 1; i >= 0; i--) {
      const a = unchecked(this.limbs[i]);
      const b = unchecked(other.limbs[i]);
      if (a != b) return a < b ? -1 : 1;
    }
    return 0;
  }

  private trim(): void {
    while (this.used > 0 && unchecked(this.limbs[this.used - 1]) == 0) this.used--;
  }
}
