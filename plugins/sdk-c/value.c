#include "value.h"

#define MAX_SAFE_INTEGER 9007199254740991

const exo_value *exo_get(const exo_value *value, const char *name) {
  if (value->kind != EXO_OBJECT) return NULL;
  for (size_t i = 0; i < value->object.count; i++)
    if (exo_text_is(value->object.members[i].key, name)) return &value->object.members[i].value;
  return NULL;
}

bool exo_as_integer(const exo_value *value, int64_t *integer) {
  if (value->kind == EXO_NUMBER) {
    double number = value->number;
    if (!(number >= -MAX_SAFE_INTEGER && number <= MAX_SAFE_INTEGER) || (double)(int64_t)number != number) return false;
    *integer = (int64_t)number;
    return true;
  }
  if (value->kind == EXO_INTEGER) *integer = value->integer;
  return value->kind == EXO_INTEGER;
}

bool exo_as_count(const exo_value *value, uint64_t *count) {
  int64_t integer;
  if (!exo_as_integer(value, &integer) || integer < 0 || integer > MAX_SAFE_INTEGER) return false;
  *count = (uint64_t)integer;
  return true;
}

bool exo_as_number(const exo_value *value, double *number) {
  if (value->kind == EXO_INTEGER) *number = (double)value->integer;
  if (value->kind == EXO_NUMBER) *number = value->number;
  return value->kind == EXO_INTEGER || value->kind == EXO_NUMBER;
}

const char *exo_kind_name(exo_kind kind) {
  static const char *const names[] = {"null",     "a boolean", "a number", "a number",
                                      "a string", "bytes",     "an array", "an object"};
  return names[kind];
}

void exo_add_item(exo_value *array, size_t *capacity, exo_value item) {
  if (array->array.count == *capacity) {
    size_t more = *capacity == 0 ? 4 : *capacity * 2;
    exo_value *items = exo_alloc_array(more, sizeof item);
    if (array->array.count > 0) __builtin_memcpy(items, array->array.items, array->array.count * sizeof item);
    array->array.items = items;
    *capacity = more;
  }
  array->array.items[array->array.count++] = item;
}

void exo_add_member(exo_value *object, size_t *capacity, exo_member member) {
  if (object->object.count == *capacity) {
    size_t more = *capacity == 0 ? 4 : *capacity * 2;
    exo_member *members = exo_alloc_array(more, sizeof member);
    if (object->object.count > 0) __builtin_memcpy(members, object->object.members, object->object.count * sizeof member);
    object->object.members = members;
    *capacity = more;
  }
  object->object.members[object->object.count++] = member;
}

bool exo_is_new_key(const exo_value *object, exo_text key, bool *sorted) {
  size_t count = object->object.count;
  const exo_member *members = object->object.members;
  if (count == 0) return *sorted = true;
  if (*sorted && exo_text_compare(members[count - 1].key, key) < 0) return true;
  *sorted = false;
  for (size_t i = 0; i < count; i++)
    if (exo_text_equals(members[i].key, key)) return false;
  return true;
}
