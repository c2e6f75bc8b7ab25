/* Lets the tests reach into the SDK: every function shows what one part of it makes of its input. */
#include "exoarmur.h"

/* JSON -> the same document, written again */
EXO_EXPORT(json) {
  exo_value value;
  exo_text problem;
  if (!exo_input_json(&value, &problem)) return exo_fail(problem);
  exo_json out = {0};
  exo_json_value(&out, &value);
  return exo_json_finish(&out);
}

/* msgpack -> the same document, written again */
EXO_EXPORT(pack) {
  exo_value value;
  exo_buffer out = {0};
  if (!exo_msgpack_read(exo_input(), &value)) return exo_fail_string("malformed");
  if (!exo_msgpack_write(&out, &value)) return exo_fail_string("cannot be written");
  return exo_output((exo_bytes){out.start, out.length});
}

/* JSON -> msgpack */
EXO_EXPORT(convert) {
  exo_value value;
  exo_text problem;
  exo_buffer out = {0};
  if (!exo_input_json(&value, &problem)) return exo_fail(problem);
  if (!exo_msgpack_write(&out, &value)) return exo_fail_string("cannot be written");
  return exo_output((exo_bytes){out.start, out.length});
}

// {path} -> {size}
EXO_EXPORT(size) {
  exo_parameters parameters = exo_read_parameters();
  exo_text path = exo_parameter_text(&parameters, "path");
  if (!exo_parameters_finish(&parameters)) return exo_fail(parameters.problem);
  exo_stat stat;
  exo_error error;
  if (!exo_fs_stat(path, &stat, &error)) return exo_fail_error(&error);
  exo_json out = {0};
  exo_json_begin_object(&out);
  exo_json_key(&out, "size");
  exo_json_integer(&out, (int64_t)stat.size);
  exo_json_end_object(&out);
  return exo_json_finish(&out);
}

/* bytes -> the same bytes */
EXO_EXPORT(raw) { return exo_output(exo_input()); }

/* text -> fails with that text */
EXO_EXPORT(refuse) {
  exo_bytes input = exo_input();
  return exo_fail((exo_text){(const char *)input.start, input.length});
}

/* Asks for more memory than there can be. */
EXO_EXPORT(exhaust) {
  exo_bytes input = exo_input();
  for (int i = 0; i < 4096; i++) *(uint8_t *)exo_alloc(1 << 20) = (uint8_t)input.length;
  return exo_output(input);
}

/* Goes back to what is no mark. */
EXO_EXPORT(panic) {
  exo_release(exo_alloc(16) + 4096);
  return 0;
}

static void put_hex(exo_json *out, const char *key, exo_bytes bytes) {
  static const char digits[] = "0123456789abcdef";
  exo_buffer text = {0};
  for (size_t i = 0; i < bytes.length; i++) {
    exo_put_byte(&text, (uint8_t)digits[bytes.start[i] >> 4]);
    exo_put_byte(&text, (uint8_t)digits[bytes.start[i] & 15]);
  }
  exo_json_key(out, key);
  exo_json_text(out, exo_buffer_text(&text));
}

static void put_count(exo_json *out, const char *key, uint64_t count) {
  exo_json_key(out, key);
  exo_json_integer(out, (int64_t)count);
}

static void put_text(exo_json *out, const char *key, exo_text text) {
  exo_json_key(out, key);
  exo_json_text(out, text);
}

static void put_flag(exo_json *out, const char *key, bool flag) {
  exo_json_key(out, key);
  exo_json_bool(out, flag);
}

static exo_bytes take_hex(exo_parameters *p, const char *name) {
  exo_text text = exo_parameter_text(p, name);
  exo_buffer bytes = {0};
  for (size_t i = 0; i + 1 < text.length; i += 2) {
    uint8_t byte = 0;
    for (size_t j = i; j < i + 2; j++) byte = (uint8_t)(byte << 4 | (text.start[j] <= '9' ? text.start[j] - '0' : text.start[j] - 'a' + 10));
    exo_put_byte(&bytes, byte);
  }
  return (exo_bytes){bytes.start, bytes.length};
}

static exo_mode take_mode(exo_parameters *p) {
  static const char *const modes[] = {"create", "replace"};
  return exo_parameter_choice(p, "mode", modes, 2) == 1 ? EXO_REPLACE : EXO_CREATE;
}

/* {name, note?, count?, mode?: "create" | "replace"} -> the same, defaults filled in */
EXO_EXPORT(parameters) {
  exo_parameters p = exo_read_parameters();
  exo_text name = exo_parameter_text(&p, "name"), note;
  bool has_note = exo_parameter_optional_text(&p, "note", &note);
  int64_t count;
  bool has_count = exo_parameter_optional_integer(&p, "count", &count);
  exo_mode mode = take_mode(&p);
  if (!exo_parameters_finish(&p)) return exo_fail(p.problem);
  exo_json out = {0};
  exo_json_begin_object(&out);
  exo_json_key(&out, "count");
  if (has_count) exo_json_integer(&out, count);
  else exo_json_null(&out);
  put_count(&out, "mode", mode);
  put_text(&out, "name", name);
  exo_json_key(&out, "note");
  if (has_note) exo_json_text(&out, note);
  else exo_json_null(&out);
  exo_json_end_object(&out);
  return exo_json_finish(&out);
}

/* Each calls a capability with the parameters and writes the members of its answer. */
typedef bool call(exo_parameters *p, exo_json *out, exo_error *error);

static bool call_clock_now(exo_parameters *p, exo_json *out, exo_error *error) {
  uint64_t ms;
  (void)p;
  if (!exo_clock_now(&ms, error)) return false;
  put_count(out, "ms", ms);
  return true;
}

static bool call_random_bytes(exo_parameters *p, exo_json *out, exo_error *error) {
  int64_t length = 0;
  exo_bytes bytes;
  exo_parameter_optional_integer(p, "length", &length);
  if (!exo_random_bytes((uint32_t)length, &bytes, error)) return false;
  put_hex(out, "bytes", bytes);
  return true;
}

static bool call_log(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_text level = exo_parameter_text(p, "level");
  static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
  (void)out;
  for (int i = 0; i < 5; i++)
    if (exo_text_is(level, levels[i])) return exo_log(levels[i], exo_parameter_text(p, "message"), error);
  exo_panic("no such level");
}

static bool call_fs_read(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_text path = exo_parameter_text(p, "path");
  int64_t offset, length;
  exo_file file;
  bool part = exo_parameter_optional_integer(p, "offset", &offset) && exo_parameter_optional_integer(p, "length", &length);
  if (!(part ? exo_fs_read_part(path, (uint64_t)offset, (uint64_t)length, &file, error) : exo_fs_read(path, &file, error)))
    return false;
  put_hex(out, "bytes", file.bytes);
  put_count(out, "size", file.size);
  return true;
}

static bool call_fs_write(exo_parameters *p, exo_json *out, exo_error *error) {
  uint64_t size;
  if (!exo_fs_write(exo_parameter_text(p, "path"), take_hex(p, "bytes"), take_mode(p), &size, error)) return false;
  put_count(out, "size", size);
  return true;
}

static bool call_fs_append(exo_parameters *p, exo_json *out, exo_error *error) {
  uint64_t size;
  if (!exo_fs_append(exo_parameter_text(p, "path"), take_hex(p, "bytes"), &size, error)) return false;
  put_count(out, "size", size);
  return true;
}

static exo_text type_of(bool directory) { return directory ? EXO_TEXT("directory") : EXO_TEXT("file"); }

static bool call_fs_list(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_listing listing;
  if (!exo_fs_list(exo_parameter_text(p, "path"), &listing, error)) return false;
  exo_json_key(out, "entries");
  exo_json_begin_array(out);
  for (size_t i = 0; i < listing.count; i++) {
    exo_json_begin_object(out);
    put_text(out, "name", listing.entries[i].name);
    put_count(out, "size", listing.entries[i].size);
    put_text(out, "type", type_of(listing.entries[i].directory));
    exo_json_end_object(out);
  }
  exo_json_end_array(out);
  return true;
}

static bool call_fs_stat(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_stat stat;
  if (!exo_fs_stat(exo_parameter_text(p, "path"), &stat, error)) return false;
  put_count(out, "size", stat.size);
  put_text(out, "type", type_of(stat.directory));
  return true;
}

static bool call_fs_remove(exo_parameters *p, exo_json *out, exo_error *error) {
  (void)out;
  return exo_fs_remove(exo_parameter_text(p, "path"), error);
}

static bool call_fs_mkdir(exo_parameters *p, exo_json *out, exo_error *error) {
  (void)out;
  return exo_fs_mkdir(exo_parameter_text(p, "path"), error);
}

static bool call_fs_rename(exo_parameters *p, exo_json *out, exo_error *error) {
  (void)out;
  return exo_fs_rename(exo_parameter_text(p, "path"), exo_parameter_text(p, "to"), take_mode(p), error);
}

static uint64_t take_expect(exo_parameters *p) {
  int64_t expect;
  return exo_parameter_optional_integer(p, "expect", &expect) ? (uint64_t)expect : EXO_ANY_VERSION;
}

static bool put_written(exo_json *out, bool called, const exo_written *written) {
  if (!called) return false;
  put_flag(out, "done", written->done);
  put_count(out, "version", written->version);
  return true;
}

static bool call_kv_get(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_stored stored;
  if (!exo_kv_get(exo_parameter_text(p, "key"), &stored, error)) return false;
  if (!stored.found) return true;
  put_hex(out, "value", stored.value);
  put_count(out, "version", stored.version);
  return true;
}

static bool call_kv_put(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_written written;
  exo_text key = exo_parameter_text(p, "key");
  return put_written(out, exo_kv_put(key, take_hex(p, "value"), take_expect(p), &written, error), &written);
}

static bool call_kv_delete(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_written written;
  return put_written(out, exo_kv_delete(exo_parameter_text(p, "key"), take_expect(p), &written, error), &written);
}

static bool call_kv_list(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_page page;
  exo_text prefix = exo_parameter_text(p, "prefix"), after = EXO_TEXT("");
  int64_t limit = 0;
  exo_parameter_optional_text(p, "after", &after);
  exo_parameter_optional_integer(p, "limit", &limit);
  if (!exo_kv_list(prefix, after, (uint32_t)limit, &page, error)) return false;
  exo_json_key(out, "entries");
  exo_json_begin_array(out);
  for (size_t i = 0; i < page.count; i++) {
    exo_json_begin_object(out);
    put_text(out, "key", page.keys[i].key);
    put_count(out, "size", page.keys[i].size);
    put_count(out, "version", page.keys[i].version);
    exo_json_end_object(out);
  }
  exo_json_end_array(out);
  put_flag(out, "more", page.more);
  return true;
}

static bool call_http_request(exo_parameters *p, exo_json *out, exo_error *error) {
  exo_buffer secret = {0};
  exo_put_secret(&secret, "token");
  exo_header headers[2] = {{EXO_TEXT("authorization"), exo_buffer_text(&secret)}, {EXO_TEXT("x-trace"), EXO_TEXT("")}};
  size_t count = exo_parameter_optional_text(p, "trace", &headers[1].value) ? 2 : 1;
  exo_request request = {exo_parameter_text(p, "method"), exo_parameter_text(p, "url"), headers, count, take_hex(p, "body")};
  exo_response response;
  if (!exo_http_request(&request, &response, error)) return false;
  put_hex(out, "body", response.body);
  exo_json_key(out, "headers");
  exo_json_begin_array(out);
  for (size_t i = 0; i < response.header_count; i++) {
    exo_buffer line = {0};
    exo_put_text(&line, response.headers[i].name);
    exo_put(&line, ": ");
    exo_put_text(&line, response.headers[i].value);
    exo_json_text(out, exo_buffer_text(&line));
  }
  exo_json_end_array(out);
  put_count(out, "status", response.status);
  return true;
}

/* {capability, ...request} -> the answer; bytes are hex digits both ways */
EXO_EXPORT(call) {
  static const struct {
    const char *name;
    call *call;
  } calls[] = {
      {"clock_now", call_clock_now},   {"random_bytes", call_random_bytes}, {"log", call_log},
      {"fs_read", call_fs_read},       {"fs_write", call_fs_write},         {"fs_append", call_fs_append},
      {"fs_list", call_fs_list},       {"fs_stat", call_fs_stat},           {"fs_remove", call_fs_remove},
      {"fs_mkdir", call_fs_mkdir},     {"fs_rename", call_fs_rename},       {"kv_get", call_kv_get},
      {"kv_put", call_kv_put},         {"kv_delete", call_kv_delete},       {"kv_list", call_kv_list},
      {"http_request", call_http_request},
  };
  exo_parameters p = exo_read_parameters();
  exo_text capability = exo_parameter_text(&p, "capability");
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    if (!exo_text_is(capability, calls[i].name)) continue;
    exo_error error;
    exo_json out = {0};
    exo_json_begin_object(&out);
    bool done = calls[i].call(&p, &out, &error);
    exo_json_end_object(&out);
    return done ? exo_json_finish(&out) : exo_fail_error(&error);
  }
  return exo_fail_string("no such capability");
}
