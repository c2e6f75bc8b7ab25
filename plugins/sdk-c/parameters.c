#include "exoarmur.h"

static void refuse(exo_parameters *parameters, const char *name, const char *what, const char *kind) {
  exo_buffer message = {0};
  exo_put(&message, "parameter \"");
  exo_put(&message, name);
  exo_put(&message, "\" ");
  exo_put(&message, what);
  if (kind != NULL) exo_put(&message, kind);
  exo_parameters_refuse(parameters, exo_buffer_text(&message));
}

exo_parameters exo_read_parameters(void) {
  exo_parameters parameters = {.object = {.kind = EXO_OBJECT}};
  exo_value value;
  exo_text problem;
  exo_buffer message = {0};
  if (!exo_input_json(&value, &problem)) {
    exo_put(&message, "parameters are not JSON: ");
    exo_put_text(&message, problem);
  } else if (value.kind != EXO_OBJECT) {
    exo_put(&message, "parameters must be an object, not ");
    exo_put(&message, exo_kind_name(value.kind));
  } else {
    parameters.object = value;
  }
  parameters.problem = exo_buffer_text(&message);
  size_t count = parameters.object.object.count;
  parameters.asked = exo_alloc_array(count, sizeof(bool));
  for (size_t i = 0; i < count; i++) parameters.asked[i] = false;
  return parameters;
}

const exo_value *exo_parameter(exo_parameters *parameters, const char *name) {
  for (size_t i = 0; i < parameters->object.object.count; i++) {
    const exo_member *member = &parameters->object.object.members[i];
    if (!exo_text_is(member->key, name)) continue;
    parameters->asked[i] = true;
    return &member->value;
  }
  return NULL;
}

bool exo_parameter_optional_text(exo_parameters *parameters, const char *name, exo_text *text) {
  const exo_value *value = exo_parameter(parameters, name);
  if (value == NULL) return false;
  if (value->kind == EXO_STRING) *text = value->text;
  else refuse(parameters, name, "must be a string, not ", exo_kind_name(value->kind));
  return value->kind == EXO_STRING;
}

exo_text exo_parameter_text(exo_parameters *parameters, const char *name) {
  exo_text text = EXO_TEXT("");
  if (!exo_parameter_optional_text(parameters, name, &text)) refuse(parameters, name, "is missing", NULL);
  return text;
}

bool exo_parameter_optional_integer(exo_parameters *parameters, const char *name, int64_t *integer) {
  const exo_value *value = exo_parameter(parameters, name);
  if (value == NULL) return false;
  if (exo_as_integer(value, integer)) return true;
  refuse(parameters, name, "must be a whole number, not ", exo_kind_name(value->kind));
  return false;
}

size_t exo_parameter_choice(exo_parameters *parameters, const char *name, const char *const *words, size_t count) {
  exo_text text;
  if (!exo_parameter_optional_text(parameters, name, &text)) return 0;
  for (size_t i = 0; i < count; i++)
    if (exo_text_is(text, words[i])) return i;
  exo_buffer list = {0};
  for (size_t i = 0; i < count; i++) {
    exo_put(&list, i == 0 ? "must be \"" : " or \"");
    exo_put(&list, words[i]);
    exo_put(&list, "\"");
  }
  exo_put_byte(&list, 0);
  refuse(parameters, name, (const char *)list.start, NULL);
  return 0;
}

void exo_parameters_refuse(exo_parameters *parameters, exo_text problem) {
  if (parameters->problem.length == 0) parameters->problem = problem;
}

bool exo_parameters_finish(exo_parameters *parameters) {
  for (size_t i = 0; i < parameters->object.object.count; i++) {
    if (parameters->asked[i]) continue;
    exo_text name = parameters->object.object.members[i].key;
    exo_buffer message = {0};
    exo_put(&message, "parameter \"");
    exo_put_text(&message, name);
    exo_put(&message, "\" is not known");
    exo_parameters_refuse(parameters, exo_buffer_text(&message));
  }
  return parameters->problem.length == 0;
}
