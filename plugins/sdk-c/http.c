#include "call.h"

EXO_CAPABILITY(http_request);

static bool take_headers(const exo_value *ok, exo_response *response, exo_error *error) {
  const exo_value *headers = exo_take_kind(ok, "headers", EXO_OBJECT, error);
  if (headers == NULL) return false;
  response->header_count = headers->object.count;
  response->headers = exo_alloc_array(response->header_count, sizeof *response->headers);
  for (size_t i = 0; i < response->header_count; i++) {
    const exo_member *member = &headers->object.members[i];
    if (member->value.kind != EXO_STRING) return exo_malformed(error);
    response->headers[i] = (exo_header){member->key, member->value.text};
  }
  return true;
}

bool exo_http_request(const exo_request *asked, exo_response *response, exo_error *error) {
  exo_buffer request = {0};
  exo_value ok;
  uint64_t status;
  exo_pack_map(&request, 4);
  exo_pack_key(&request, "body");
  exo_pack_bytes(&request, asked->body);
  exo_pack_key(&request, "headers");
  exo_pack_map(&request, asked->header_count);
  for (size_t i = 0; i < asked->header_count; i++) {
    exo_pack_text(&request, asked->headers[i].name);
    exo_pack_text(&request, asked->headers[i].value);
  }
  exo_pack_member(&request, "method", asked->method);
  exo_pack_member(&request, "url", asked->url);
  if (!EXO_CALL(http_request, &request, &ok, error) || !exo_take_count(&ok, "status", &status, error)) return false;
  if (status < 100 || status > 999) return exo_malformed(error);
  response->status = (uint32_t)status;
  return exo_take_bytes(&ok, "body", &response->body, error) && take_headers(&ok, response, error);
}

void exo_put_secret(exo_buffer *buffer, const char *name) {
  exo_put(buffer, "{{secret:");
  exo_put(buffer, name);
  exo_put(buffer, "}}");
}
