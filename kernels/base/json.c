/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>

static void quoted(FILE *file, const char *text) {
  putc('"', file);
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c == '"' || *c == '\\') {
      fprintf(file, "\\%c", *c);
    } else if (*c < 0x20 || *c == 0x7F) {
      fprintf(file, "\\u%04x", *c);
    } else {
      putc(*c, file);
    }
  }
  putc('"', file);
}

static void lead(struct bnn_json *json, const char *key) {
  if (!json->first) putc(',', json->file);
  json->first = false;
  if (key == NULL) return;
  quoted(json->file, key);
  putc(':', json->file);
}

struct bnn_json bnn_json_open(FILE *file, const char *type) {
  struct bnn_json json = {file, true};
  putc('{', file);
  bnn_json_string(&json, "type", type);
  return json;
}

void bnn_json_close(struct bnn_json *json) {
  fputs("}\n", json->file);
  fflush(json->file);
}

void bnn_json_string(struct bnn_json *json, const char *key, const char *text) {
  lead(json, key);
  if (text == NULL) {
    fputs("null", json->file);
  } else {
    quoted(json->file, text);
  }
}

void bnn_json_integer(struct bnn_json *json, const char *key, int64_t value) {
  lead(json, key);
  fprintf(json->file, "%" PRId64, value);
}

void bnn_json_number(struct bnn_json *json, const char *key, double value) {
  lead(json, key);
  if (isfinite(value)) {
    fprintf(json->file, "%.9g", value); /* enough for any float32 to come back as itself */
  } else {
    fputs("null", json->file);
  }
}

void bnn_json_boolean(struct bnn_json *json, const char *key, bool value) {
  lead(json, key);
  fputs(value ? "true" : "false", json->file);
}

void bnn_json_array(struct bnn_json *json, const char *key) {
  lead(json, key);
  putc('[', json->file);
  json->first = true;
}

void bnn_json_end_array(struct bnn_json *json) {
  putc(']', json->file);
  json->first = false;
}

void bnn_json_object(struct bnn_json *json, const char *key) {
  lead(json, key);
  putc('{', json->file);
  json->first = true;
}

void bnn_json_end_object(struct bnn_json *json) {
  putc('}', json->file);
  json->first = false;
}
