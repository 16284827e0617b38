/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines: one object a line, flushed when it ends, so that a reader at the other end of a wire sees it at once.
 *
 *   struct bnn_json json = bnn_json_open(stdout, "peak");
 *   bnn_json_string(&json, "isa", "neon");
 *   bnn_json_number(&json, "value", 85.3);
 *   bnn_json_close(&json);
 *
 * Within an array the key is NULL. A number that JSON cannot write (NaN, infinity) becomes null.
 */
#ifndef BNN_BASE_JSON_H
#define BNN_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct bnn_json {
  FILE *file;
  bool first; /* nothing stands yet in the innermost object or array: no comma before the next value */
};

/* Begins a line: {"type": <type> */
struct bnn_json bnn_json_open(FILE *file, const char *type);
/* Ends the line and flushes it. */
void bnn_json_close(struct bnn_json *json);

void bnn_json_string(struct bnn_json *json, const char *key, const char *text); /* null where text is NULL */
void bnn_json_integer(struct bnn_json *json, const char *key, int64_t value);
void bnn_json_number(struct bnn_json *json, const char *key, double value);
void bnn_json_boolean(struct bnn_json *json, const char *key, bool value);

void bnn_json_array(struct bnn_json *json, const char *key);
void bnn_json_end_array(struct bnn_json *json);
void bnn_json_object(struct bnn_json *json, const char *key);
void bnn_json_end_object(struct bnn_json *json);

#endif
