/* A freestanding guest of Extism's own imports: variables, configuration, log, http. */
#include "extism.h"

static char out[4096];
static unsigned at;

static void put(const char *text) {
  while (*text && at < sizeof out - 1) out[at++] = *text++;
}

static void put_block(uint64_t block) {
  uint64_t length = block_length(block);
  for (uint64_t i = 0; i < length && at < sizeof out - 1; i++) out[at++] = (char)load_u8(block + i);
}

static void put_number(uint32_t number) {
  char digits[10];
  unsigned count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while (number /= 10);
  while (count > 0 && at < sizeof out - 1) out[at++] = digits[--count];
}

/* Sets a variable, reads it twice, deletes it, asks for a configuration, logs. */
EXPORT(state) int32_t state(void) {
  put("before:");
  put_number(var_get(block_of("name")) != 0);
  var_set(block_of("name"), block_of("value"));
  put(" then:");
  put_block(var_get(block_of("name")));
  put_block(var_get(block_of("name")));
  var_set(block_of("name"), 0);
  put(" deleted:");
  put_number(var_get(block_of("name")) != 0);
  put(" config:");
  put_number(config_get(block_of("url")) != 0);
  log_info(block_of("state was kept"));
  log_error(block_of("and deleted"));
  output_text(out);
  return 0;
}

/* The input is the request document; a `#` in it begins the body. */
EXPORT(fetch) int32_t fetch(void) {
  uint64_t length = input_length(), mark = 0;
  while (mark < length && input_load_u8(mark) != '#') mark++;
  uint64_t request = block_alloc(mark), body = 0;
  for (uint64_t i = 0; i < mark; i++) store_u8(request + i, input_load_u8(i));
  if (mark < length) {
    body = block_alloc(length - mark - 1);
    for (uint64_t i = mark + 1; i < length; i++) store_u8(body + i - mark - 1, input_load_u8(i));
  }
  put_number(http_status_code());
  put(" ");
  put_number(http_headers() != 0);
  put(" ");
  uint64_t answer = http_request(request, body);
  put_number(http_status_code());
  put(" ");
  uint64_t headers = http_headers();
  put_block(headers);
  put(http_headers() == headers ? " again " : " another ");
  block_free(headers);
  put(http_headers() == 0 ? "gone " : "still there ");
  put_block(answer);
  output_text(out);
  return 0;
}
