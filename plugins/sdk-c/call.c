#include "call.h"

#include "kernel.h"

bool exo_malformed(exo_error *error) {
  error->code = EXO_TEXT("EXO_MSGPACK");
  error->message = EXO_TEXT("the host's answer does not have the form of its capability");
  return false;
}

bool exo_receive(const exo_buffer *request, uint64_t (*import)(uint64_t), exo_value *ok, exo_error *error) {
  uint64_t block = exo_block((exo_bytes){request->start, request->length});
  exo_bytes bytes = exo_take_block(import(block));
  exo_free_block(block);
  exo_value answer;
  if (!exo_msgpack_read(bytes, &answer)) return exo_malformed(error);
  const exo_value *done = exo_get(&answer, "ok"), *refused = exo_get(&answer, "error");
  if ((done == NULL) == (refused == NULL)) return exo_malformed(error);
  if (done != NULL) {
    *ok = *done;
    return done->kind == EXO_OBJECT ? true : exo_malformed(error);
  }
  if (!exo_take_text(refused, "code", &error->code, error) || !exo_take_text(refused, "message", &error->message, error))
    return false;
  return error->code.length > 0 ? false : exo_malformed(error);
}

const exo_value *exo_take_kind(const exo_value *ok, const char *name, exo_kind kind, exo_error *error) {
  const exo_value *value = exo_get(ok, name);
  if (value != NULL && value->kind == kind) return value;
  exo_malformed(error);
  return NULL;
}

bool exo_take_count(const exo_value *ok, const char *name, uint64_t *count, exo_error *error) {
  const exo_value *value = exo_get(ok, name);
  return value != NULL && exo_as_count(value, count) ? true : exo_malformed(error);
}

bool exo_take_flag(const exo_value *ok, const char *name, bool *flag, exo_error *error) {
  const exo_value *value = exo_take_kind(ok, name, EXO_BOOL, error);
  if (value != NULL) *flag = value->flag;
  return value != NULL;
}

bool exo_take_text(const exo_value *ok, const char *name, exo_text *text, exo_error *error) {
  const exo_value *value = exo_take_kind(ok, name, EXO_STRING, error);
  if (value != NULL) *text = value->text;
  return value != NULL;
}

bool exo_take_bytes(const exo_value *ok, const char *name, exo_bytes *bytes, exo_error *error) {
  const exo_value *value = exo_take_kind(ok, name, EXO_BYTES, error);
  if (value != NULL) *bytes = value->bytes;
  return value != NULL;
}

void exo_pack_key(exo_buffer *request, const char *key) { exo_pack_text(request, exo_string(key)); }

void exo_pack_member(exo_buffer *request, const char *key, exo_text value) {
  exo_pack_key(request, key);
  exo_pack_text(request, value);
}

int32_t exo_fail_error(const exo_error *error) {
  exo_buffer message = {0};
  exo_put_text(&message, error->code);
  exo_put(&message, ": ");
  exo_put_text(&message, error->message);
  return exo_fail(exo_buffer_text(&message));
}
