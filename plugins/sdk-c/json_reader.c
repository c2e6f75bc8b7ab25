#include "value.h"

/* Deepest nesting accepted, as in canonical JSON (spec/canonical-bytes.md). */
#define MAX_DEPTH 128

typedef struct {
  const uint8_t *start;
  const uint8_t *at;
  const uint8_t *end;
  const char *problem;
} reader;

static bool read_value(reader *in, exo_value *value, unsigned depth);

static bool refuse(reader *in, const char *problem) {
  in->problem = problem;
  return false;
}

/* The next byte, 0 at the end: no place where it is asked for accepts a 0. */
static uint8_t peek(const reader *in) { return in->at < in->end ? *in->at : 0; }

static bool take(reader *in, uint8_t byte) {
  if (in->at == in->end || *in->at != byte) return false;
  in->at++;
  return true;
}

static void skip_space(reader *in) {
  while (peek(in) == ' ' || peek(in) == '\t' || peek(in) == '\n' || peek(in) == '\r') in->at++;
}

static int32_t hex4(reader *in) {
  int32_t unit = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = peek(in), letter = c | 0x20;
    if (c >= '0' && c <= '9') unit = unit << 4 | (c - '0');
    else if (letter >= 'a' && letter <= 'f') unit = unit << 4 | (letter - 'a' + 10);
    else return -1;
    in->at++;
  }
  return unit;
}

/* The code point of the escape after a backslash, -1 for a lone surrogate and for what is no escape. */
static int32_t escape(reader *in) {
  uint8_t c = peek(in);
  if (c == 0 || c >= 0x80) return -1;
  in->at++;
  switch (c) {
    case '"':
    case '\\':
    case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': break;
    default: return -1;
  }
  int32_t unit = hex4(in);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || !take(in, '\\') || !take(in, 'u')) return -1;
  int32_t low = hex4(in);
  if (low < 0xdc00 || low > 0xdfff) return -1;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* Writes a code point as UTF-8, which is never longer than its escape. */
static uint8_t *encode(uint8_t *to, int32_t point) {
  if (point < 0x80) {
    *to++ = (uint8_t)point;
    return to;
  }
  if (point < 0x800) *to++ = (uint8_t)(0xc0 | point >> 6);
  else {
    if (point < 0x10000) *to++ = (uint8_t)(0xe0 | point >> 12);
    else {
      *to++ = (uint8_t)(0xf0 | point >> 18);
      *to++ = (uint8_t)(0x80 | (point >> 12 & 0x3f));
    }
    *to++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
  }
  *to++ = (uint8_t)(0x80 | (point & 0x3f));
  return to;
}

/* A string without escapes is a piece of the input, one with escapes a copy. */
static bool read_text(reader *in, exo_text *text) {
  const uint8_t *start = ++in->at;
  while (in->at < in->end && *in->at >= 0x20 && *in->at != '"' && *in->at != '\\') in->at++;
  *text = (exo_text){(const char *)start, (size_t)(in->at - start)};
  if (take(in, '"')) return true;
  const uint8_t *close = in->at;
  while (close < in->end && *close != '"') close += *close == '\\' ? 2 : 1;
  if (close >= in->end) {
    in->at = in->end;
    return refuse(in, "a string without an end");
  }
  uint8_t *copy = exo_alloc((size_t)(close - start)), *to = copy + (in->at - start);
  __builtin_memcpy(copy, start, (size_t)(in->at - start));
  while (in->at < close) {
    if (*in->at < 0x20) return refuse(in, "control character in a string");
    if (!take(in, '\\')) {
      *to++ = *in->at++;
      continue;
    }
    int32_t point = escape(in);
    if (point < 0) return refuse(in, "malformed escape");
    to = encode(to, point);
  }
  in->at = close + 1;
  *text = (exo_text){(const char *)copy, (size_t)(to - copy)};
  return true;
}

static bool read_object(reader *in, exo_value *object, unsigned depth) {
  size_t capacity = 0;
  bool sorted = true;
  *object = (exo_value){.kind = EXO_OBJECT};
  in->at++;
  skip_space(in);
  if (take(in, '}')) return true;
  for (;;) {
    exo_member member;
    skip_space(in);
    if (peek(in) != '"') return refuse(in, "expected a key");
    if (!read_text(in, &member.key)) return false;
    if (!exo_is_new_key(object, member.key, &sorted)) return refuse(in, "a key occurs twice");
    skip_space(in);
    if (!take(in, ':')) return refuse(in, "expected ':'");
    if (!read_value(in, &member.value, depth + 1)) return false;
    exo_add_member(object, &capacity, member);
    skip_space(in);
    if (take(in, '}')) return true;
    if (!take(in, ',')) return refuse(in, "expected ',' or '}'");
  }
}

static bool read_array(reader *in, exo_value *array, unsigned depth) {
  size_t capacity = 0;
  *array = (exo_value){.kind = EXO_ARRAY};
  in->at++;
  skip_space(in);
  if (take(in, ']')) return true;
  for (;;) {
    exo_value item;
    if (!read_value(in, &item, depth + 1)) return false;
    exo_add_item(array, &capacity, item);
    skip_space(in);
    if (take(in, ']')) return true;
    if (!take(in, ',')) return refuse(in, "expected ',' or ']'");
  }
}

static size_t digits(reader *in) {
  const uint8_t *start = in->at;
  while (peek(in) >= '0' && peek(in) <= '9') in->at++;
  return (size_t)(in->at - start);
}

/* The literal as an int64_t; false when it does not fit. Nineteen digits fit 64 bits. */
static bool fits(exo_text literal, int64_t *integer) {
  bool negative = literal.start[0] == '-';
  uint64_t size = 0;
  if (literal.length - negative > 19) return false;
  for (size_t i = negative; i < literal.length; i++) size = size * 10 + (uint64_t)(literal.start[i] - '0');
  if (size > (uint64_t)INT64_MAX + negative) return false;
  *integer = (int64_t)(negative ? 0 - size : size);
  return true;
}

static bool read_number(reader *in, exo_value *value) {
  const uint8_t *start = in->at;
  take(in, '-');
  size_t whole = digits(in);
  if (whole == 0) return refuse(in, "expected a value");
  if (whole > 1 && in->at[-(ptrdiff_t)whole] == '0') return refuse(in, "a number starts with 0");
  bool integer = true;
  if (take(in, '.')) {
    integer = false;
    if (digits(in) == 0) return refuse(in, "expected a digit");
  }
  if (take(in, 'e') || take(in, 'E')) {
    integer = false;
    if (!take(in, '+')) take(in, '-');
    if (digits(in) == 0) return refuse(in, "expected a digit");
  }
  exo_text literal = {(const char *)start, (size_t)(in->at - start)};
  value->kind = EXO_INTEGER;
  if (integer && fits(literal, &value->integer)) return true;
  value->kind = EXO_NUMBER;
  value->number = exo_parse_number(literal);
  return __builtin_isinf(value->number) ? refuse(in, "a number is out of range") : true;
}

static bool word(reader *in, const char *text, size_t length) {
  if ((size_t)(in->end - in->at) < length || !exo_text_is((exo_text){(const char *)in->at, length}, text))
    return refuse(in, "expected a value");
  in->at += length;
  return true;
}

static bool read_value(reader *in, exo_value *value, unsigned depth) {
  if (depth > MAX_DEPTH) return refuse(in, "nested too deep");
  skip_space(in);
  switch (peek(in)) {
    case '{': return read_object(in, value, depth);
    case '[': return read_array(in, value, depth);
    case '"': value->kind = EXO_STRING; return read_text(in, &value->text);
    case 't': *value = (exo_value){.kind = EXO_BOOL, .flag = true}; return word(in, "true", 4);
    case 'f': *value = (exo_value){.kind = EXO_BOOL, .flag = false}; return word(in, "false", 5);
    case 'n': value->kind = EXO_NULL; return word(in, "null", 4);
    default: return read_number(in, value);
  }
}

bool exo_json_read(exo_bytes bytes, exo_value *value, exo_text *problem) {
  reader in = {bytes.start, bytes.start, bytes.start + bytes.length, NULL};
  if (!exo_is_utf8(bytes)) in.problem = "not UTF-8";
  else if (read_value(&in, value, 0)) {
    skip_space(&in);
    if (in.at == in.end) return true;
    in.problem = "text after the document";
  }
  exo_buffer message = {0};
  exo_put(&message, in.problem);
  exo_put(&message, " at byte ");
  exo_put_integer(&message, in.at - in.start);
  *problem = exo_buffer_text(&message);
  return false;
}

bool exo_input_json(exo_value *value, exo_text *problem) { return exo_json_read(exo_input(), value, problem); }
