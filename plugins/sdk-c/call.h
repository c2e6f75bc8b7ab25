/* One capability call; for the SDK's capabilities. */
#ifndef EXOARMUR_CALL_H
#define EXOARMUR_CALL_H

#include "exoarmur.h"
#include "msgpack.h"

/* Declares the import of a capability (spec/abi.md): the address of the request's block to that of the answer's. */
#define EXO_CAPABILITY(name) \
  __attribute__((import_module("extism:host/user"), import_name(#name))) uint64_t host_##name(uint64_t request)

/* Sends the request and reads the answer: the members of `ok`, or false with the host's refusal. */
#define EXO_CALL(name, request, ok, error) exo_receive(request, host_##name, ok, error)
bool exo_receive(const exo_buffer *request, uint64_t (*import)(uint64_t), exo_value *ok, exo_error *error);

/* Members of `ok`. One that is missing or of another kind makes the answer malformed: false, as an error. */
bool exo_take_count(const exo_value *ok, const char *name, uint64_t *count, exo_error *error);
bool exo_take_flag(const exo_value *ok, const char *name, bool *flag, exo_error *error);
bool exo_take_text(const exo_value *ok, const char *name, exo_text *text, exo_error *error);
bool exo_take_bytes(const exo_value *ok, const char *name, exo_bytes *bytes, exo_error *error);
const exo_value *exo_take_kind(const exo_value *ok, const char *name, exo_kind kind, exo_error *error);
bool exo_malformed(exo_error *error);

/* A key of a request, then a text as its value. */
void exo_pack_key(exo_buffer *request, const char *key);
void exo_pack_member(exo_buffer *request, const char *key, exo_text value);

#endif
