/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *bnn_status_name(enum bnn_status status) {
  switch (status) {
#define BNN_STATUS(NAME, value, sentence)                                                                              \
  case BNN_E_##NAME:                                                                                                   \
    return #NAME;
#include "bnn/status.def"
#undef BNN_STATUS
  }
  return "UNKNOWN";
}

const char *bnn_status_sentence(enum bnn_status status) {
  switch (status) {
#define BNN_STATUS(NAME, value, sentence)                                                                              \
  case BNN_E_##NAME:                                                                                                   \
    return sentence;
#include "bnn/status.def"
#undef BNN_STATUS
  }
  return "a status this version does not know";
}

/* A name cut in the middle of a UTF-8 sequence would make the message unreadable for a strict decoder. */
static void end_on_whole_character(char *text, size_t length) {
  size_t start = length;
  while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) start--;
  if (start == 0) return;
  unsigned char lead = (unsigned char)text[start - 1];
  size_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  if (length - start < need) text[start - 1] = '\0';
}

enum bnn_status bnn_fail(struct bnn_error *error, enum bnn_status status, const char *format, ...) {
  if (error == NULL) return status;
  error->status = status;
  va_list arguments;
  va_start(arguments, format);
  int wanted = vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  if (wanted >= (int)sizeof error->message) end_on_whole_character(error->message, sizeof error->message - 1);
  return status;
}
