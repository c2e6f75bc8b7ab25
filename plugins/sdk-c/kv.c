#include "call.h"

EXO_CAPABILITY(kv_get);
EXO_CAPABILITY(kv_put);
EXO_CAPABILITY(kv_delete);
EXO_CAPABILITY(kv_list);

static bool take_written(const exo_value *ok, exo_written *written, exo_error *error) {
  return exo_take_flag(ok, "done", &written->done, error) && exo_take_count(ok, "version", &written->version, error);
}

static void pack_expect(exo_buffer *request, uint64_t expect) {
  if (expect == EXO_ANY_VERSION) return;
  exo_pack_key(request, "expect");
  exo_pack_integer(request, (int64_t)expect);
}

bool exo_kv_get(exo_text key, exo_stored *stored, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 1);
  exo_pack_member(&request, "key", key);
  return EXO_CALL(kv_get, &request, &ok, error) && exo_take_flag(&ok, "found", &stored->found, error) &&
         exo_take_bytes(&ok, "value", &stored->value, error) && exo_take_count(&ok, "version", &stored->version, error);
}

bool exo_kv_put(exo_text key, exo_bytes value, uint64_t expect, exo_written *written, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, expect == EXO_ANY_VERSION ? 2 : 3);
  pack_expect(&request, expect);
  exo_pack_member(&request, "key", key);
  exo_pack_key(&request, "value");
  exo_pack_bytes(&request, value);
  return EXO_CALL(kv_put, &request, &ok, error) && take_written(&ok, written, error);
}

bool exo_kv_delete(exo_text key, uint64_t expect, exo_written *written, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, expect == EXO_ANY_VERSION ? 1 : 2);
  pack_expect(&request, expect);
  exo_pack_member(&request, "key", key);
  return EXO_CALL(kv_delete, &request, &ok, error) && take_written(&ok, written, error);
}

bool exo_kv_list(exo_text prefix, exo_text after, uint32_t limit, exo_page *page, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 1 + (after.length > 0) + (limit > 0));
  if (after.length > 0) exo_pack_member(&request, "after", after);
  if (limit > 0) {
    exo_pack_key(&request, "limit");
    exo_pack_integer(&request, limit);
  }
  exo_pack_member(&request, "prefix", prefix);
  if (!EXO_CALL(kv_list, &request, &ok, error) || !exo_take_flag(&ok, "more", &page->more, error)) return false;
  const exo_value *entries = exo_take_kind(&ok, "entries", EXO_ARRAY, error);
  if (entries == NULL) return false;
  page->count = entries->array.count;
  page->keys = exo_alloc_array(page->count, sizeof *page->keys);
  for (size_t i = 0; i < page->count; i++) {
    const exo_value *item = &entries->array.items[i];
    exo_key *key = &page->keys[i];
    if (!exo_take_text(item, "key", &key->key, error) || !exo_take_count(item, "version", &key->version, error) ||
        !exo_take_count(item, "size", &key->size, error))
      return false;
  }
  return true;
}
