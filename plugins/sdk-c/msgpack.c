#include "msgpack.h"

#include "value.h"

/* Nesting of a document: a bare scalar has depth 0. */
#define MAX_DEPTH 32
#define MAX_INTEGER 9007199254740991

static void put_big_endian(exo_buffer *out, uint64_t value, unsigned width) {
  for (unsigned i = width; i > 0; i--) exo_put_byte(out, (uint8_t)(value >> (8 * (i - 1))));
}

/* A length in the shortest head there is: inside the tag, or after it in one, two or four bytes. A tag of 0 is no form. */
static void put_head(exo_buffer *out, size_t length, uint8_t small, size_t most, uint8_t tag8, uint8_t tag16, uint8_t tag32) {
  unsigned width = length <= 0xff && tag8 != 0 ? 1 : length <= 0xffff ? 2 : 4;
  if (small != 0 && length <= most) {
    exo_put_byte(out, (uint8_t)(small | length));
    return;
  }
  exo_put_byte(out, width == 1 ? tag8 : width == 2 ? tag16 : tag32);
  put_big_endian(out, length, width);
}

void exo_pack_map(exo_buffer *out, size_t count) { put_head(out, count, 0x80, 15, 0, 0xde, 0xdf); }

static void pack_array(exo_buffer *out, size_t count) { put_head(out, count, 0x90, 15, 0, 0xdc, 0xdd); }

void exo_pack_text(exo_buffer *out, exo_text text) {
  put_head(out, text.length, 0xa0, 31, 0xd9, 0xda, 0xdb);
  exo_put_text(out, text);
}

void exo_pack_bytes(exo_buffer *out, exo_bytes bytes) {
  put_head(out, bytes.length, 0, 0, 0xc4, 0xc5, 0xc6);
  exo_put_bytes(out, bytes.start, bytes.length);
}

void exo_pack_integer(exo_buffer *out, int64_t integer) {
  if (integer >= -32 && integer < 0x80) {
    exo_put_byte(out, (uint8_t)integer);
    return;
  }
  /* 0xcc to 0xcf are unsigned, 0xd0 to 0xd3 signed, of one, two, four and eight bytes. */
  unsigned log = 0;
  if (integer >= 0)
    while (log < 3 && (uint64_t)integer >> (8u << log) != 0) log++;
  else
    while (log < 3 && integer < -((int64_t)1 << ((8u << log) - 1))) log++;
  exo_put_byte(out, (uint8_t)((integer >= 0 ? 0xcc : 0xd0) + log));
  put_big_endian(out, (uint64_t)integer, 1u << log);
}

/* A float64 of the profile, which is one that canonical JSON has: finite, not -0, no integer from 2^53 up to 1e21. */
static bool in_profile(double number, uint64_t bits) {
  double size = __builtin_fabs(number);
  if (!(size <= __DBL_MAX__) || bits == (uint64_t)1 << 63) return false;
  return size <= MAX_INTEGER || size >= 1e21 || __builtin_trunc(number) != number;
}

static bool write_number(exo_buffer *out, double number) {
  uint64_t bits;
  __builtin_memcpy(&bits, &number, sizeof bits);
  if (!in_profile(number, bits)) return false;
  exo_put_byte(out, 0xcb);
  put_big_endian(out, bits, 8);
  return true;
}

static bool is_text(exo_text text) { return exo_is_utf8((exo_bytes){(const uint8_t *)text.start, text.length}); }

static bool write_value(exo_buffer *out, const exo_value *value, unsigned depth);

static bool write_items(exo_buffer *out, const exo_value *array, unsigned depth) {
  if (depth >= MAX_DEPTH) return false;
  pack_array(out, array->array.count);
  for (size_t i = 0; i < array->array.count; i++)
    if (!write_value(out, &array->array.items[i], depth + 1)) return false;
  return true;
}

static bool write_members(exo_buffer *out, const exo_value *object, unsigned depth) {
  if (depth >= MAX_DEPTH) return false;
  exo_pack_map(out, object->object.count);
  for (size_t i = 0; i < object->object.count; i++) {
    const exo_member *member = &object->object.members[i];
    if (!is_text(member->key) || exo_text_is(member->key, "__proto__")) return false;
    exo_pack_text(out, member->key);
    if (!write_value(out, &member->value, depth + 1)) return false;
  }
  return true;
}

static bool write_value(exo_buffer *out, const exo_value *value, unsigned depth) {
  switch (value->kind) {
    case EXO_NULL: exo_put_byte(out, 0xc0); return true;
    case EXO_BOOL: exo_put_byte(out, value->flag ? 0xc3 : 0xc2); return true;
    case EXO_INTEGER:
      exo_pack_integer(out, value->integer);
      return value->integer >= -MAX_INTEGER && value->integer <= MAX_INTEGER;
    case EXO_NUMBER: return write_number(out, value->number);
    case EXO_STRING: exo_pack_text(out, value->text); return is_text(value->text);
    case EXO_BYTES: exo_pack_bytes(out, value->bytes); return true;
    case EXO_ARRAY: return write_items(out, value, depth);
    case EXO_OBJECT: return write_members(out, value, depth);
  }
  return false;
}

bool exo_msgpack_write(exo_buffer *buffer, const exo_value *value) { return write_value(buffer, value, 0); }

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} reader;

static bool read_value(reader *in, exo_value *value, unsigned depth);

static bool read_unsigned(reader *in, unsigned width, uint64_t *value) {
  if ((size_t)(in->end - in->at) < width) return false;
  *value = 0;
  for (unsigned i = 0; i < width; i++) *value = *value << 8 | *in->at++;
  return true;
}

static bool read_bytes(reader *in, uint64_t length, exo_bytes *bytes) {
  if (length > (uint64_t)(in->end - in->at)) return false;
  *bytes = (exo_bytes){in->at, (size_t)length};
  in->at += length;
  return true;
}

static bool read_text(reader *in, uint64_t length, exo_text *text) {
  exo_bytes bytes;
  if (!read_bytes(in, length, &bytes) || !exo_is_utf8(bytes)) return false;
  *text = (exo_text){(const char *)bytes.start, bytes.length};
  return true;
}

/* Items take a byte each at least: a count beyond what is left is refused before anything is made for it. */
static bool may_hold(const reader *in, uint64_t count, unsigned depth) {
  return depth < MAX_DEPTH && count <= (uint64_t)(in->end - in->at);
}

static bool read_array(reader *in, uint64_t count, exo_value *array, unsigned depth) {
  *array = (exo_value){.kind = EXO_ARRAY};
  if (!may_hold(in, count, depth)) return false;
  size_t capacity = 0;
  for (uint64_t i = 0; i < count; i++) {
    exo_value item;
    if (!read_value(in, &item, depth + 1)) return false;
    exo_add_item(array, &capacity, item);
  }
  return true;
}

static bool read_map(reader *in, uint64_t count, exo_value *map, unsigned depth) {
  *map = (exo_value){.kind = EXO_OBJECT};
  if (!may_hold(in, count, depth)) return false;
  size_t capacity = 0;
  bool sorted = true;
  for (uint64_t i = 0; i < count; i++) {
    exo_value key;
    exo_member member;
    if (!read_value(in, &key, depth + 1) || key.kind != EXO_STRING || exo_text_is(key.text, "__proto__")) return false;
    if (!exo_is_new_key(map, key.text, &sorted) || !read_value(in, &member.value, depth + 1)) return false;
    member.key = key.text;
    exo_add_member(map, &capacity, member);
  }
  return true;
}

static bool read_integer(reader *in, unsigned log, bool is_signed, exo_value *value) {
  uint64_t bits;
  if (!read_unsigned(in, 1u << log, &bits)) return false;
  unsigned unused = 64 - (8u << log);
  if (!is_signed && bits > MAX_INTEGER) return false;
  *value = (exo_value){.kind = EXO_INTEGER, .integer = is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)bits};
  return value->integer >= -MAX_INTEGER && value->integer <= MAX_INTEGER;
}

static bool read_number(reader *in, exo_value *value) {
  uint64_t bits;
  if (!read_unsigned(in, 8, &bits)) return false;
  value->kind = EXO_NUMBER;
  __builtin_memcpy(&value->number, &bits, sizeof bits);
  return in_profile(value->number, bits);
}

/* What is not named is float32, an extension type or the byte that is never used. */
static bool read_tagged(reader *in, uint8_t tag, exo_value *value, unsigned depth) {
  uint64_t length;
  switch (tag) {
    case 0xc0: value->kind = EXO_NULL; return true;
    case 0xc2:
    case 0xc3: *value = (exo_value){.kind = EXO_BOOL, .flag = tag == 0xc3}; return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
      value->kind = EXO_BYTES;
      return read_unsigned(in, 1u << (tag - 0xc4), &length) && read_bytes(in, length, &value->bytes);
    case 0xcb: return read_number(in, value);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: return read_integer(in, tag - 0xccu, false, value);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return read_integer(in, tag - 0xd0u, true, value);
    case 0xd9:
    case 0xda:
    case 0xdb:
      value->kind = EXO_STRING;
      return read_unsigned(in, 1u << (tag - 0xd9), &length) && read_text(in, length, &value->text);
    case 0xdc:
    case 0xdd: return read_unsigned(in, 2u << (tag - 0xdc), &length) && read_array(in, length, value, depth);
    case 0xde:
    case 0xdf: return read_unsigned(in, 2u << (tag - 0xde), &length) && read_map(in, length, value, depth);
    default: return false;
  }
}

static bool read_value(reader *in, exo_value *value, unsigned depth) {
  if (in->at == in->end) return false;
  uint8_t tag = *in->at++;
  if (tag < 0x80 || tag >= 0xe0) {
    *value = (exo_value){.kind = EXO_INTEGER, .integer = (int8_t)tag};
    return true;
  }
  if (tag < 0x90) return read_map(in, tag & 15, value, depth);
  if (tag < 0xa0) return read_array(in, tag & 15, value, depth);
  if (tag >= 0xc0) return read_tagged(in, tag, value, depth);
  value->kind = EXO_STRING;
  return read_text(in, tag & 31, &value->text);
}

bool exo_msgpack_read(exo_bytes bytes, exo_value *value) {
  reader in = {bytes.start, bytes.start + bytes.length};
  return read_value(&in, value, 0) && in.at == in.end;
}
