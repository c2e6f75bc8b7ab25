#include "exoarmur.h"

#define MAX_SAFE_INTEGER 9007199254740991

static void separate(exo_json *json) {
  if (json->comma) exo_put_byte(&json->out, ',');
  json->comma = true;
}

static void open_bracket(exo_json *json, char bracket) {
  separate(json);
  exo_put_byte(&json->out, (uint8_t)bracket);
  json->comma = false;
}

static void close_bracket(exo_json *json, char bracket) {
  exo_put_byte(&json->out, (uint8_t)bracket);
  json->comma = true;
}

void exo_json_begin_object(exo_json *json) { open_bracket(json, '{'); }

void exo_json_end_object(exo_json *json) { close_bracket(json, '}'); }

void exo_json_begin_array(exo_json *json) { open_bracket(json, '['); }

void exo_json_end_array(exo_json *json) { close_bracket(json, ']'); }

static void put_escape(exo_buffer *out, uint8_t c) {
  static const char short_forms[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\", hex[] = "0123456789abcdef";
  exo_put_byte(out, '\\');
  for (size_t i = 0; i < sizeof letters - 1; i++) {
    if ((uint8_t)short_forms[i] != c) continue;
    exo_put_byte(out, (uint8_t)letters[i]);
    return;
  }
  exo_put(out, "u00");
  exo_put_byte(out, (uint8_t)hex[c >> 4]);
  exo_put_byte(out, (uint8_t)hex[c & 15]);
}

static void put_quoted(exo_buffer *out, exo_text text) {
  exo_put_byte(out, '"');
  size_t written = 0;
  for (size_t at = 0; at < text.length; at++) {
    uint8_t c = (uint8_t)text.start[at];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    exo_put_bytes(out, text.start + written, at - written);
    put_escape(out, c);
    written = at + 1;
  }
  exo_put_bytes(out, text.start + written, text.length - written);
  exo_put_byte(out, '"');
}

void exo_json_key_text(exo_json *json, exo_text key) {
  separate(json);
  put_quoted(&json->out, key);
  exo_put_byte(&json->out, ':');
  json->comma = false;
}

void exo_json_key(exo_json *json, const char *key) { exo_json_key_text(json, exo_string(key)); }

void exo_json_text(exo_json *json, exo_text text) {
  separate(json);
  put_quoted(&json->out, text);
}

void exo_json_integer(exo_json *json, int64_t integer) {
  bool quoted = integer > MAX_SAFE_INTEGER || integer < -MAX_SAFE_INTEGER;
  separate(json);
  if (quoted) exo_put_byte(&json->out, '"');
  exo_put_integer(&json->out, integer);
  if (quoted) exo_put_byte(&json->out, '"');
}

void exo_json_number(exo_json *json, double number) {
  double size = __builtin_fabs(number);
  bool quoted = size > MAX_SAFE_INTEGER && size < 1e21;
  if (!(size <= __DBL_MAX__)) {
    exo_json_null(json);
    return;
  }
  separate(json);
  if (quoted) exo_put_byte(&json->out, '"');
  exo_put_number(&json->out, number);
  if (quoted) exo_put_byte(&json->out, '"');
}

void exo_json_bool(exo_json *json, bool flag) {
  separate(json);
  exo_put(&json->out, flag ? "true" : "false");
}

void exo_json_null(exo_json *json) {
  separate(json);
  exo_put(&json->out, "null");
}

void exo_json_value(exo_json *json, const exo_value *value) {
  switch (value->kind) {
    case EXO_NULL: exo_json_null(json); return;
    case EXO_BOOL: exo_json_bool(json, value->flag); return;
    case EXO_INTEGER: exo_json_integer(json, value->integer); return;
    case EXO_NUMBER: exo_json_number(json, value->number); return;
    case EXO_STRING: exo_json_text(json, value->text); return;
    case EXO_BYTES: exo_panic("bytes have no form in JSON");
    case EXO_ARRAY:
      exo_json_begin_array(json);
      for (size_t i = 0; i < value->array.count; i++) exo_json_value(json, &value->array.items[i]);
      exo_json_end_array(json);
      return;
    case EXO_OBJECT:
      exo_json_begin_object(json);
      for (size_t i = 0; i < value->object.count; i++) {
        exo_json_key_text(json, value->object.members[i].key);
        exo_json_value(json, &value->object.members[i].value);
      }
      exo_json_end_object(json);
  }
}

int32_t exo_json_finish(exo_json *json) { return exo_output((exo_bytes){json->out.start, json->out.length}); }
