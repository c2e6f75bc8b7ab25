/*
 * SDK for executors in C11: typed calls of every capability, JSON in and out. No libc.
 *
 *   #include "exoarmur.h"
 *
 *   // {path} -> {size}
 *   EXO_EXPORT(size) {
 *     exo_parameters parameters = exo_read_parameters();
 *     exo_text path = exo_parameter_text(&parameters, "path");
 *     if (!exo_parameters_finish(&parameters)) return exo_fail(parameters.problem);
 *     exo_stat stat;
 *     exo_error error;
 *     if (!exo_fs_stat(path, &stat, &error)) return exo_fail_error(&error);
 *     exo_json out = {0};
 *     exo_json_begin_object(&out);
 *     exo_json_key(&out, "size");
 *     exo_json_integer(&out, (int64_t)stat.size);
 *     exo_json_end_object(&out);
 *     return exo_json_finish(&out);
 *   }
 *
 * Compile the plugin and the .c files beside this header together; what is not reached does not end up in the module, so
 * its import section is a true list of what it can ask for. README.md has the command.
 */
#ifndef EXOARMUR_H
#define EXOARMUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins an exported function: it takes nothing and returns 0 after the output was set, 1 after exo_fail. */
#define EXO_EXPORT(name) __attribute__((export_name(#name))) int32_t exo_export_##name(void)

/* Text and bytes: a place and a length. Text is UTF-8 and has no 0 at its end. */
typedef struct {
  const char *start;
  size_t length;
} exo_text;

typedef struct {
  const uint8_t *start;
  size_t length;
} exo_bytes;

/* The text of a string literal. */
#define EXO_TEXT(literal) ((exo_text){"" literal, sizeof(literal) - 1})

/* The text of a C string. */
exo_text exo_string(const char *string);
bool exo_text_equals(exo_text a, exo_text b);
/* Less than 0, 0 or more than 0, in the order of their bytes. */
int exo_text_compare(exo_text a, exo_text b);
bool exo_text_is(exo_text text, const char *string);
/* Well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. */
bool exo_is_utf8(exo_bytes bytes);

/* ---- Memory (memory.c) ----------------------------------------------------------------------------------------------
 * Memory is handed out in order and never given back one by one: an instance serves one call. A loop that reads a file in
 * parts takes a mark before each part and goes back to it afterwards. Without memory the run ends with an error text. */

void *exo_alloc(size_t bytes);
/* For `count` things of `size` bytes; a product that does not fit ends the run like memory that is not there. */
void *exo_alloc_array(size_t count, size_t size);
/* Grows what `old` points to; in place when it is the newest. */
void *exo_grow(void *old, size_t old_bytes, size_t new_bytes);
void *exo_mark(void);
/* Gives back everything handed out since the mark: nothing of it may be used any more. */
void exo_release(void *mark);

/* A growing text or run of bytes; start it with {0}. */
typedef struct {
  uint8_t *start;
  size_t length;
  size_t capacity;
} exo_buffer;

void exo_put_byte(exo_buffer *buffer, uint8_t byte);
void exo_put_bytes(exo_buffer *buffer, const void *start, size_t length);
void exo_put_text(exo_buffer *buffer, exo_text text);
/* A C string. */
void exo_put(exo_buffer *buffer, const char *string);
/* A decimal. */
void exo_put_integer(exo_buffer *buffer, int64_t integer);
exo_text exo_buffer_text(const exo_buffer *buffer);

/* ---- A run (kernel.c) ------------------------------------------------------------------------------------------------ */

/* The call's input: canonical JSON of the intent's parameters unless the manifest says otherwise. */
exo_bytes exo_input(void);
/* Sets the output and returns 0. The last output counts. */
int32_t exo_output(exo_bytes bytes);
/* Sets the error text and returns 1. */
int32_t exo_fail(exo_text message);
int32_t exo_fail_string(const char *message);
/* Sets the error text and traps: for broken invariants, never a way to answer. */
_Noreturn void exo_panic(const char *message);

/* ---- Values (value.c) ------------------------------------------------------------------------------------------------
 * A JSON or msgpack document as a tree. EXO_BYTES is msgpack's alone. In JSON a number literal without point and exponent
 * that fits an int64_t is EXO_INTEGER, every other EXO_NUMBER. */

typedef enum {
  EXO_NULL,
  EXO_BOOL,
  EXO_INTEGER,
  EXO_NUMBER,
  EXO_STRING,
  EXO_BYTES,
  EXO_ARRAY,
  EXO_OBJECT,
} exo_kind;

typedef struct exo_value exo_value;
typedef struct exo_member exo_member;

struct exo_value {
  exo_kind kind;
  union {
    bool flag;
    int64_t integer;
    double number;
    exo_text text;
    exo_bytes bytes;
    struct {
      exo_value *items;
      size_t count;
    } array;
    struct {
      exo_member *members;
      size_t count;
    } object;
  };
};

struct exo_member {
  exo_text key;
  exo_value value;
};

/* The member of an object, NULL when it is absent or this is no object. */
const exo_value *exo_get(const exo_value *value, const char *name);
/* A whole number from 0 to 2^53 - 1, in either form. */
bool exo_as_count(const exo_value *value, uint64_t *count);
/* A whole number, also one written with a point or an exponent. */
bool exo_as_integer(const exo_value *value, int64_t *integer);
bool exo_as_number(const exo_value *value, double *number);
/* The kind in words, for messages. */
const char *exo_kind_name(exo_kind kind);

/* ---- JSON (json_reader.c, json_writer.c) ---------------------------------------------------------------------------- */

/* Reads one document (RFC 8259): no repeated keys, no lone surrogates, no number out of range, nesting up to 128. Texts
 * point into `bytes` where they can. Otherwise `problem` says what is wrong: `expected a value at byte 0`. */
bool exo_json_read(exo_bytes bytes, exo_value *value, exo_text *problem);
/* The input as JSON. */
bool exo_input_json(exo_value *value, exo_text *problem);

/* Writes one document; start it with {0}. Keys and values follow each other as they come out. Integers beyond 2^53 - 1 are
 * written as texts of their digits and numbers that are not finite as null, which is how canonical JSON takes them. */
typedef struct {
  exo_buffer out;
  bool comma;
} exo_json;

void exo_json_begin_object(exo_json *json);
void exo_json_end_object(exo_json *json);
void exo_json_begin_array(exo_json *json);
void exo_json_end_array(exo_json *json);
void exo_json_key(exo_json *json, const char *key);
void exo_json_key_text(exo_json *json, exo_text key);
void exo_json_text(exo_json *json, exo_text text);
void exo_json_integer(exo_json *json, int64_t integer);
void exo_json_number(exo_json *json, double number);
void exo_json_bool(exo_json *json, bool flag);
void exo_json_null(exo_json *json);
/* A whole tree, members in the order they have. EXO_BYTES has no form in JSON and ends the run. */
void exo_json_value(exo_json *json, const exo_value *value);
/* Makes the document the output and returns 0. */
int32_t exo_json_finish(exo_json *json);

/* A decimal literal to the nearest double, ties to even; infinite beyond the greatest (number.c). */
double exo_parse_number(exo_text literal);
/* The shortest decimal that reads back as the finite number, laid out as in ECMAScript. */
void exo_put_number(exo_buffer *buffer, double number);

/* ---- Parameters (parameters.c) --------------------------------------------------------------------------------------
 * The input object, read strictly: ask for every parameter by name, then call exo_parameters_finish. `problem` is the first
 * thing that was wrong: `parameter "path" is missing`. */

typedef struct {
  exo_value object;
  bool *asked;
  exo_text problem;
} exo_parameters;

exo_parameters exo_read_parameters(void);
/* A required string; an empty one after a refusal. */
exo_text exo_parameter_text(exo_parameters *parameters, const char *name);
/* A string that may be absent: false then, or after a refusal. */
bool exo_parameter_optional_text(exo_parameters *parameters, const char *name, exo_text *text);
/* A whole number that may be absent. */
bool exo_parameter_optional_integer(exo_parameters *parameters, const char *name, int64_t *integer);
/* The place of a string among `count` words; 0 when it is absent. */
size_t exo_parameter_choice(exo_parameters *parameters, const char *name, const char *const *words, size_t count);
/* A parameter of any kind, NULL when it is absent. */
const exo_value *exo_parameter(exo_parameters *parameters, const char *name);
/* Records what is wrong, unless something already is. */
void exo_parameters_refuse(exo_parameters *parameters, exo_text problem);
/* Whether nothing was wrong, a parameter that nobody asked for included. */
bool exo_parameters_finish(exo_parameters *parameters);

/* ---- Msgpack (msgpack.c) --------------------------------------------------------------------------------------------
 * The profile of the host-guest ABI (spec/abi.md, Documents); what is outside of it is refused. Capability calls use it by
 * themselves. */

/* Reads one document; texts and bytes point into `bytes`. */
bool exo_msgpack_read(exo_bytes bytes, exo_value *value);
/* Writes a tree, every item in its shortest form; false for what the profile lacks. */
bool exo_msgpack_write(exo_buffer *buffer, const exo_value *value);

/* ---- Capabilities (call.c, local.c, fs.c, kv.c, http.c) -------------------------------------------------------------
 * Each returns true when the host did it. Otherwise `error` says why: the host's stable code (spec/errors.md), such as
 * EXO_FS_NOT_FOUND, and its message. Answers point into memory that stays until exo_release. */

typedef struct {
  exo_text code;
  exo_text message;
} exo_error;

/* Sets `EXO_FS_NOT_FOUND: There is no such file.` as the error text and returns 1. */
int32_t exo_fail_error(const exo_error *error);

/* clock_now: milliseconds since 1970-01-01 UTC, recorded and replayed. */
bool exo_clock_now(uint64_t *ms, exo_error *error);
/* random_bytes: at most 65,536, recorded and replayed. */
bool exo_random_bytes(uint32_t length, exo_bytes *bytes, exo_error *error);
/* log: level trace, debug, info, warn or error; at most 4,096 bytes. Needs no grant. */
bool exo_log(const char *level, exo_text message, exo_error *error);

/* Bytes of a file, all or a part, and the size of the whole file. */
typedef struct {
  exo_bytes bytes;
  uint64_t size;
} exo_file;

/* What a path names; a directory's size is 0. */
typedef struct {
  bool directory;
  uint64_t size;
} exo_stat;

typedef struct {
  exo_text name;
  bool directory;
  uint64_t size;
} exo_entry;

/* The entries of a directory, sorted by the bytes of their names. */
typedef struct {
  exo_entry *entries;
  size_t count;
} exo_listing;

/* Whether a write may take the place of a file: EXO_CREATE never touches one that is there. */
typedef enum { EXO_CREATE, EXO_REPLACE } exo_mode;

/* Paths are root-alias paths such as data/orders.csv. */
bool exo_fs_read(exo_text path, exo_file *file, exo_error *error);
/* Up to `length` bytes from `offset`; no bytes beyond the end. */
bool exo_fs_read_part(exo_text path, uint64_t offset, uint64_t length, exo_file *file, exo_error *error);
/* `size` is what was written, of exo_fs_append the size of the whole file afterwards; it may be NULL. */
bool exo_fs_write(exo_text path, exo_bytes bytes, exo_mode mode, uint64_t *size, exo_error *error);
bool exo_fs_append(exo_text path, exo_bytes bytes, uint64_t *size, exo_error *error);
bool exo_fs_list(exo_text path, exo_listing *listing, exo_error *error);
bool exo_fs_stat(exo_text path, exo_stat *stat, exo_error *error);
/* A file, never a directory. */
bool exo_fs_remove(exo_text path, exo_error *error);
bool exo_fs_mkdir(exo_text path, exo_error *error);
bool exo_fs_rename(exo_text path, exo_text to, exo_mode mode, exo_error *error);

/* A value and its version, which is never 0; of a key that is not there no bytes and version 0. */
typedef struct {
  bool found;
  exo_bytes value;
  uint64_t version;
} exo_stored;

/* What a write came to. Not done: another version than expected is there, this one; 0 for none. */
typedef struct {
  bool done;
  uint64_t version;
} exo_written;

typedef struct {
  exo_text key;
  uint64_t version;
  uint64_t size;
} exo_key;

/* Keys in the order of their bytes, and whether there are more. */
typedef struct {
  exo_key *keys;
  size_t count;
  bool more;
} exo_page;

/* As `expect`: write whatever is there. Otherwise the version that must be there, 0 for none. */
#define EXO_ANY_VERSION UINT64_MAX

/* Keys have 1 to 512 characters. A run reads its own writes; they count only if it completes. */
bool exo_kv_get(exo_text key, exo_stored *stored, exo_error *error);
bool exo_kv_put(exo_text key, exo_bytes value, uint64_t expect, exo_written *written, exo_error *error);
bool exo_kv_delete(exo_text key, uint64_t expect, exo_written *written, exo_error *error);
/* Keys that begin with `prefix`, from behind `after` if that is not empty, at most `limit`: 1 to 1,000, or 0 for 100. */
bool exo_kv_list(exo_text prefix, exo_text after, uint32_t limit, exo_page *page, exo_error *error);

typedef struct {
  exo_text name;
  exo_text value;
} exo_header;

/* The method is in capitals, header names are in lower case and not twice; GET and HEAD have no body. */
typedef struct {
  exo_text method;
  exo_text url;
  const exo_header *headers;
  size_t header_count;
  exo_bytes body;
} exo_request;

/* An answer, whatever its status. Header names are in lower case. */
typedef struct {
  uint32_t status;
  exo_header *headers;
  size_t header_count;
  exo_bytes body;
} exo_response;

/* Puts what stands for a secret in a header value or body: the host fills it in where the deployment has bound it, after the
 * request was judged. Neither the guest nor the transcript ever has it. */
void exo_put_secret(exo_buffer *buffer, const char *name);
bool exo_http_request(const exo_request *request, exo_response *response, exo_error *error);

#endif
