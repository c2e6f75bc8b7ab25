/* Decimals to doubles and back, both exact: a double has a finite decimal form, and halving or doubling a decimal loses
 * nothing as long as its digits fit. */
#include "exoarmur.h"

/* A double has at most 767 significant digits; what lies beyond decides only whether something does. */
#define MAX_DIGITS 800
/* Ten times a value below 2^60 still fits 64 bits. */
#define MAX_SHIFT 60
#define MANTISSA_BITS 53
/* Binary exponents of numbers written as 0.1xxx times a power of two. */
#define LEAST_EXPONENT (-1021)
#define GREATEST_EXPONENT 1024

/* 0.DIGITS times ten to the power of `point`. */
typedef struct {
  uint8_t digits[MAX_DIGITS];
  int count;
  int point;
  /* Whether digits other than 0 were left out at the end. */
  bool more;
} decimal;

static void trim(decimal *d) {
  while (d->count > 0 && d->digits[d->count - 1] == 0) d->count--;
}

/* Adds a digit at the end; zeros in front move the point instead. */
static void append(decimal *d, uint8_t digit) {
  if (d->count == 0 && digit == 0) d->point--;
  else if (d->count < MAX_DIGITS) d->digits[d->count++] = digit;
  else d->more |= digit != 0;
}

/* Divides by 2^bits, at most MAX_SHIFT: the digits are written over those that have been read. */
static void halve(decimal *d, unsigned bits) {
  int read = 0, count = d->count;
  uint64_t rest = 0, mask = ((uint64_t)1 << bits) - 1;
  d->count = 0;
  while (read < count || rest != 0) {
    rest = rest * 10 + (read < count ? d->digits[read] : 0);
    read++;
    append(d, (uint8_t)(rest >> bits));
    rest &= mask;
    if (d->count == MAX_DIGITS && read >= count) {
      d->more |= rest != 0;
      break;
    }
  }
  trim(d);
}

/* Multiplies by 2^bits, at most MAX_SHIFT. */
static void double_up(decimal *d, unsigned bits) {
  uint8_t product[MAX_DIGITS + 20];
  size_t at = sizeof product;
  uint64_t carry = 0;
  for (int i = d->count - 1; i >= 0; i--) {
    carry += (uint64_t)d->digits[i] << bits;
    product[--at] = (uint8_t)(carry % 10);
    carry /= 10;
  }
  for (; carry != 0; carry /= 10, d->point++) product[--at] = (uint8_t)(carry % 10);
  d->count = 0;
  for (; at < sizeof product; at++) append(d, product[at]);
  trim(d);
}

/* Multiplies by two to the power of `bits`, which may be negative. */
static void scale(decimal *d, int bits) {
  for (int step; bits != 0; bits -= step) {
    step = bits > MAX_SHIFT ? MAX_SHIFT : bits < -MAX_SHIFT ? -MAX_SHIFT : bits;
    if (step > 0) double_up(d, (unsigned)step);
    else halve(d, (unsigned)-step);
  }
}

/* The nearest integer, ties to even; the value is below 2^53. */
static uint64_t round_to_integer(const decimal *d) {
  uint64_t integer = 0;
  for (int i = 0; i < d->point; i++) integer = integer * 10 + (i < d->count ? d->digits[i] : 0);
  if (d->point < 0 || d->point >= d->count) return integer;
  uint8_t next = d->digits[d->point];
  bool beyond = d->more || d->point + 1 < d->count;
  return integer + (next > 5 || (next == 5 && (beyond || (integer & 1))));
}

static double from_bits(uint64_t bits) {
  double number;
  __builtin_memcpy(&number, &bits, sizeof number);
  return number;
}

/* The nearest double, ties to even. */
static double to_double(decimal d) {
  if (d.count == 0 || d.point < -330) return 0;
  if (d.point > 310) return __builtin_inf();
  int exponent = 0;
  /* Towards 0.5 to 1: a power of ten is more than three of two. */
  while (d.point > 0) {
    int bits = d.point * 3 < MAX_SHIFT ? d.point * 3 : MAX_SHIFT;
    halve(&d, (unsigned)bits);
    exponent += bits;
  }
  while (d.point < 0 || d.digits[0] < 5) {
    int bits = d.point == 0 ? 1 : -d.point * 3 < MAX_SHIFT ? -d.point * 3 : MAX_SHIFT;
    double_up(&d, (unsigned)bits);
    exponent -= bits;
  }
  if (exponent < LEAST_EXPONENT) {
    scale(&d, exponent - LEAST_EXPONENT);
    exponent = LEAST_EXPONENT;
  }
  double_up(&d, MANTISSA_BITS);
  uint64_t mantissa = round_to_integer(&d);
  if (mantissa >> MANTISSA_BITS) {
    mantissa >>= 1;
    exponent++;
  }
  if (exponent > GREATEST_EXPONENT) return __builtin_inf();
  uint64_t hidden = (uint64_t)1 << (MANTISSA_BITS - 1);
  uint64_t biased = mantissa < hidden ? 0 : (uint64_t)(exponent - LEAST_EXPONENT + 1);
  return from_bits(biased << (MANTISSA_BITS - 1) | (mantissa & (hidden - 1)));
}

/* The literal without its sign: digits, a point, an exponent. */
static void read_decimal(decimal *d, exo_text literal, size_t at) {
  int exponent = 0, after_point = 0;
  *d = (decimal){0};
  for (; at < literal.length; at++) {
    char c = literal.start[at];
    if (c == '.') after_point = 1;
    else if (c < '0' || c > '9') break;
    else {
      /* Before the point each digit moves it on, zeros in front excepted, for which append moves it back. */
      if (!after_point) d->point++;
      append(d, (uint8_t)(c - '0'));
    }
  }
  if (at < literal.length) {
    bool negative = literal.start[++at] == '-';
    if (negative || literal.start[at] == '+') at++;
    /* Beyond this bound the number is 0 or infinite, however long its digits: an input is below 2^31 bytes. */
    for (; at < literal.length; at++)
      if (exponent < 100000000) exponent = exponent * 10 + (literal.start[at] - '0');
    if (negative) exponent = -exponent;
  }
  d->point += exponent;
  trim(d);
}

/* Digits that fit 53 bits, times or through a power of ten that is exact: one rounding, so the nearest double. */
static bool simple(const decimal *d, double *number) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  int exponent = d->point - d->count;
  if (d->count > 15 || exponent < -22 || exponent > 22) return false;
  uint64_t integer = 0;
  for (int i = 0; i < d->count; i++) integer = integer * 10 + d->digits[i];
  *number = exponent < 0 ? (double)integer / powers[-exponent] : (double)integer * powers[exponent];
  return true;
}

double exo_parse_number(exo_text literal) {
  decimal d;
  double number;
  bool negative = literal.length > 0 && literal.start[0] == '-';
  read_decimal(&d, literal, negative);
  if (!simple(&d, &number)) number = to_double(d);
  return negative ? -number : number;
}

/* Cuts to so many digits, up or down. */
static void cut(decimal *d, int count, bool up) {
  if (count >= d->count) return;
  d->count = count;
  if (up) {
    while (d->count > 0 && d->digits[d->count - 1] == 9) d->count--;
    if (d->count > 0) d->digits[d->count - 1]++;
    else {
      d->digits[d->count++] = 1;
      d->point++;
    }
  }
  trim(d);
}

/* The shortest digits that read back as the number, and of those the nearest. */
static void shorten(decimal *d, double number) {
  decimal exact = *d;
  /* Fifteen digits always lead back where the mantissa is whole, so fewer than that need no look of their own. */
  for (int count = number < __DBL_MIN__ ? 1 : 15; count < 17; count++) {
    bool up = count < exact.count && exact.digits[count] >= 5;
    cut(d, count, up);
    if (to_double(*d) == number) return;
    /* Above a power of two the doubles lie twice as far apart as below: the next decimal up may be the one. */
    *d = exact;
    if (!up) {
      cut(d, count, true);
      if (to_double(*d) == number) return;
      *d = exact;
    }
  }
  cut(d, 17, 17 < exact.count && exact.digits[17] >= 5);
}

static void put_digits(exo_buffer *out, const decimal *d, int from, int to) {
  for (int i = from; i < to; i++) exo_put_byte(out, (uint8_t)('0' + (i < d->count ? d->digits[i] : 0)));
}

void exo_put_number(exo_buffer *out, double number) {
  uint64_t bits;
  __builtin_memcpy(&bits, &number, sizeof bits);
  if (number < 0) exo_put_byte(out, '-');
  number = __builtin_fabs(number);
  if (number < 9007199254740992.0 && (double)(uint64_t)number == number) {
    exo_put_integer(out, (int64_t)number);
    return;
  }
  uint64_t hidden = (uint64_t)1 << (MANTISSA_BITS - 1), mantissa = bits & (hidden - 1);
  int biased = (int)(bits >> (MANTISSA_BITS - 1) & 0x7ff);
  decimal d = {0};
  char digits[20];
  int count = 0;
  for (uint64_t left = biased == 0 ? mantissa : mantissa | hidden; left != 0; left /= 10) digits[count++] = (char)(left % 10);
  d.point = count;
  while (count > 0) append(&d, (uint8_t)digits[--count]);
  trim(&d);
  scale(&d, (biased == 0 ? 1 : biased) - 1023 - (MANTISSA_BITS - 1));
  shorten(&d, number);
  if (d.point > 0 && d.point <= 21) {
    put_digits(out, &d, 0, d.point);
    if (d.count > d.point) exo_put_byte(out, '.');
    put_digits(out, &d, d.point, d.count);
  } else if (d.point > -6 && d.point <= 0) {
    exo_put(out, "0.");
    for (int i = d.point; i < 0; i++) exo_put_byte(out, '0');
    put_digits(out, &d, 0, d.count);
  } else {
    put_digits(out, &d, 0, 1);
    if (d.count > 1) exo_put_byte(out, '.');
    put_digits(out, &d, 1, d.count);
    exo_put(out, d.point > 0 ? "e+" : "e");
    exo_put_integer(out, d.point - 1);
  }
}
