/* clock_now, random_bytes, log. */
#include "call.h"

EXO_CAPABILITY(clock_now);
EXO_CAPABILITY(random_bytes);
EXO_CAPABILITY(log);

bool exo_clock_now(uint64_t *ms, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 0);
  return EXO_CALL(clock_now, &request, &ok, error) && exo_take_count(&ok, "ms", ms, error);
}

bool exo_random_bytes(uint32_t length, exo_bytes *bytes, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 1);
  exo_pack_key(&request, "length");
  exo_pack_integer(&request, length);
  return EXO_CALL(random_bytes, &request, &ok, error) && exo_take_bytes(&ok, "bytes", bytes, error);
}

bool exo_log(const char *level, exo_text message, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  exo_pack_map(&request, 2);
  exo_pack_member(&request, "level", exo_string(level));
  exo_pack_member(&request, "message", message);
  return EXO_CALL(log, &request, &ok, error);
}
