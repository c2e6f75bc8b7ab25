/* `file.checksum`: the SHA-256 or CRC-32 of a file. */
#include "crc32.h"
#include "exoarmur.h"
#include "sha256.h"

/* Bytes asked for at a time: what a call costs is then next to nothing, and memory stays small. */
#define PART 262144

typedef struct {
  bool crc;
  sha256 hash;
  uint32_t checksum;
} sum;

static void add(sum *sum, exo_bytes bytes) {
  if (sum->crc) sum->checksum = crc32_add(sum->checksum, bytes.start, bytes.length);
  else sha256_add(&sum->hash, bytes.start, bytes.length);
}

static exo_text digest_of(sum *sum) {
  static const char hex[] = "0123456789abcdef";
  uint8_t digest[32];
  size_t length = sum->crc ? 4 : sizeof digest;
  exo_buffer text = {0};
  if (sum->crc)
    for (int i = 0; i < 4; i++) digest[i] = (uint8_t)(sum->checksum >> (24 - 8 * i));
  else sha256_end(&sum->hash, digest);
  for (size_t i = 0; i < length; i++) {
    exo_put_byte(&text, (uint8_t)hex[digest[i] >> 4]);
    exo_put_byte(&text, (uint8_t)hex[digest[i] & 15]);
  }
  return exo_buffer_text(&text);
}

static int32_t refuse(exo_text path, exo_text problem) {
  exo_buffer message = {0};
  exo_put_text(&message, path);
  exo_put(&message, ": ");
  exo_put_text(&message, problem);
  return exo_fail(exo_buffer_text(&message));
}

static int32_t refuse_error(exo_text path, const exo_error *error) {
  exo_buffer problem = {0};
  exo_put_text(&problem, error->code);
  exo_put(&problem, ": ");
  exo_put_text(&problem, error->message);
  return refuse(path, exo_buffer_text(&problem));
}

static int32_t answer(exo_text path, exo_text algorithm, exo_text digest, uint64_t size) {
  exo_json out = {0};
  exo_json_begin_object(&out);
  exo_json_key(&out, "algorithm");
  exo_json_text(&out, algorithm);
  exo_json_key(&out, "digest");
  exo_json_text(&out, digest);
  exo_json_key(&out, "path");
  exo_json_text(&out, path);
  exo_json_key(&out, "size");
  exo_json_integer(&out, (int64_t)size);
  exo_json_end_object(&out);
  return exo_json_finish(&out);
}

/* {path, algorithm?: "sha256" | "crc32"} -> {algorithm, digest, path, size} */
EXO_EXPORT(checksum) {
  static const char *const algorithms[] = {"sha256", "crc32"};
  exo_parameters parameters = exo_read_parameters();
  exo_text path = exo_parameter_text(&parameters, "path");
  size_t algorithm = exo_parameter_choice(&parameters, "algorithm", algorithms, 2);
  if (!exo_parameters_finish(&parameters)) return exo_fail(parameters.problem);

  sum sum = {.crc = algorithm == 1};
  sha256_begin(&sum.hash);
  uint64_t done = 0, size = 0;
  do {
    exo_file part;
    exo_error error;
    void *mark = exo_mark();
    if (!exo_fs_read_part(path, done, PART, &part, &error)) return refuse_error(path, &error);
    uint64_t left = done == 0 ? part.size : size - done, wanted = left < PART ? left : PART;
    if ((done > 0 && part.size != size) || part.bytes.length != wanted)
      return refuse(path, EXO_TEXT("the file changed while it was read"));
    add(&sum, part.bytes);
    size = part.size;
    done += part.bytes.length;
    exo_release(mark);
  } while (done < size);
  return answer(path, exo_string(algorithms[algorithm]), digest_of(&sum), size);
}
