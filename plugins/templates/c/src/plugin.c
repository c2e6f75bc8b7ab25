#include "exoarmur.h"

/* {name} -> {greeting} */
EXO_EXPORT(greet) {
  exo_parameters parameters = exo_read_parameters();
  exo_text name = exo_parameter_text(&parameters, "name");
  if (!exo_parameters_finish(&parameters)) return exo_fail(parameters.problem);

  exo_buffer greeting = {0};
  exo_put(&greeting, "Hello, ");
  exo_put_text(&greeting, name);
  exo_put(&greeting, "!");

  exo_json out = {0};
  exo_json_begin_object(&out);
  exo_json_key(&out, "greeting");
  exo_json_text(&out, exo_buffer_text(&greeting));
  exo_json_end_object(&out);
  return exo_json_finish(&out);
}

/* {path} -> {bytes, lines}: the size of a file and how many line ends it has */
EXO_EXPORT(count) {
  exo_parameters parameters = exo_read_parameters();
  exo_text path = exo_parameter_text(&parameters, "path");
  if (!exo_parameters_finish(&parameters)) return exo_fail(parameters.problem);

  exo_file file;
  exo_error error;
  if (!exo_fs_read(path, &file, &error)) return exo_fail_error(&error);
  int64_t lines = 0;
  for (size_t i = 0; i < file.bytes.length; i++) lines += file.bytes.start[i] == '\n';

  exo_json out = {0};
  exo_json_begin_object(&out);
  exo_json_key(&out, "bytes");
  exo_json_integer(&out, (int64_t)file.size);
  exo_json_key(&out, "lines");
  exo_json_integer(&out, lines);
  exo_json_end_object(&out);
  return exo_json_finish(&out);
}
