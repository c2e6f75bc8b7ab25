#include "call.h"

EXO_CAPABILITY(fs_read);
EXO_CAPABILITY(fs_write);
EXO_CAPABILITY(fs_append);
EXO_CAPABILITY(fs_list);
EXO_CAPABILITY(fs_stat);
EXO_CAPABILITY(fs_remove);
EXO_CAPABILITY(fs_mkdir);
EXO_CAPABILITY(fs_rename);

static bool read_file(const exo_buffer *request, exo_file *file, exo_error *error) {
  exo_value ok;
  return EXO_CALL(fs_read, request, &ok, error) && exo_take_bytes(&ok, "bytes", &file->bytes, error) &&
         exo_take_count(&ok, "size", &file->size, error);
}

static exo_text mode_name(exo_mode mode) { return mode == EXO_REPLACE ? EXO_TEXT("replace") : EXO_TEXT("create"); }

static exo_buffer path_only(exo_text path) {
  exo_buffer request = {0};
  exo_pack_map(&request, 1);
  exo_pack_member(&request, "path", path);
  return request;
}

static bool take_size(const exo_value *ok, uint64_t *size, exo_error *error) {
  uint64_t unused;
  return exo_take_count(ok, "size", size != NULL ? size : &unused, error);
}

static bool take_type(const exo_value *ok, bool *directory, exo_error *error) {
  exo_text type;
  if (!exo_take_text(ok, "type", &type, error)) return false;
  *directory = exo_text_is(type, "directory");
  return *directory || exo_text_is(type, "file") ? true : exo_malformed(error);
}

bool exo_fs_read(exo_text path, exo_file *file, exo_error *error) {
  exo_buffer request = path_only(path);
  return read_file(&request, file, error);
}

bool exo_fs_read_part(exo_text path, uint64_t offset, uint64_t length, exo_file *file, exo_error *error) {
  exo_buffer request = {0};
  exo_pack_map(&request, 3);
  exo_pack_key(&request, "length");
  exo_pack_integer(&request, (int64_t)length);
  exo_pack_key(&request, "offset");
  exo_pack_integer(&request, (int64_t)offset);
  exo_pack_member(&request, "path", path);
  return read_file(&request, file, error);
}

bool exo_fs_write(exo_text path, exo_bytes bytes, exo_mode mode, uint64_t *size, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 3);
  exo_pack_key(&request, "bytes");
  exo_pack_bytes(&request, bytes);
  exo_pack_member(&request, "mode", mode_name(mode));
  exo_pack_member(&request, "path", path);
  return EXO_CALL(fs_write, &request, &ok, error) && take_size(&ok, size, error);
}

bool exo_fs_append(exo_text path, exo_bytes bytes, uint64_t *size, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 2);
  exo_pack_key(&request, "bytes");
  exo_pack_bytes(&request, bytes);
  exo_pack_member(&request, "path", path);
  return EXO_CALL(fs_append, &request, &ok, error) && take_size(&ok, size, error);
}

bool exo_fs_list(exo_text path, exo_listing *listing, exo_error *error) {
  exo_buffer request = path_only(path);
  exo_value ok;
  if (!EXO_CALL(fs_list, &request, &ok, error)) return false;
  const exo_value *entries = exo_take_kind(&ok, "entries", EXO_ARRAY, error);
  if (entries == NULL) return false;
  listing->count = entries->array.count;
  listing->entries = exo_alloc_array(listing->count, sizeof *listing->entries);
  for (size_t i = 0; i < listing->count; i++) {
    const exo_value *item = &entries->array.items[i];
    exo_entry *entry = &listing->entries[i];
    if (!exo_take_text(item, "name", &entry->name, error) || !take_type(item, &entry->directory, error) ||
        !exo_take_count(item, "size", &entry->size, error))
      return false;
  }
  return true;
}

bool exo_fs_stat(exo_text path, exo_stat *stat, exo_error *error) {
  exo_buffer request = path_only(path);
  exo_value ok;
  return EXO_CALL(fs_stat, &request, &ok, error) && take_type(&ok, &stat->directory, error) &&
         exo_take_count(&ok, "size", &stat->size, error);
}

bool exo_fs_remove(exo_text path, exo_error *error) {
  exo_buffer request = path_only(path);
  exo_value ok;
  return EXO_CALL(fs_remove, &request, &ok, error);
}

bool exo_fs_mkdir(exo_text path, exo_error *error) {
  exo_buffer request = path_only(path);
  exo_value ok;
  return EXO_CALL(fs_mkdir, &request, &ok, error);
}

bool exo_fs_rename(exo_text path, exo_text to, exo_mode mode, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 3);
  exo_pack_member(&request, "mode", mode_name(mode));
  exo_pack_member(&request, "path", path);
  exo_pack_member(&request, "to", to);
  return EXO_CALL(fs_rename, &request, &ok, error);
}
