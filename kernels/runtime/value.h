/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor as the runtime holds it, its layout resolved. */
#ifndef BNN_RUNTIME_VALUE_H
#define BNN_RUNTIME_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define BNN_MAX_ELEMENTS                                                                                               \
  (1u << 28) /* of one tensor: what any real layer stays far below, and int32 indices can count */

struct bnn_value {
  const char *name;
  enum bnn_dtype dtype;
  uint32_t rank, planes;
  uint32_t shape[BNN_MAX_RANK]; /* unused entries are 1 */
  float scale;
  int32_t zero_point;
  bool constant;
  size_t bytes;
  void *data; /* constants: in the file, not to be written; others: known once a session has planned */
};

/* Works out elements and bytes; false where either is beyond what the runtime accepts, or a size is 0. */
bool bnn_value_measure(struct bnn_value *value);

/* Channels: the last axis; 1 for a scalar. */
uint32_t bnn_value_channels(const struct bnn_value *value);
/* Everything but the last axis, multiplied. */
size_t bnn_value_pixels(const struct bnn_value *value);
size_t bnn_value_elements(const struct bnn_value *value);
/* Bytes that one pixel takes: channels times the size of an element, or the words of its bits. */
size_t bnn_value_pixel_bytes(const struct bnn_value *value);

bool bnn_value_same_shape(const struct bnn_value *a, const struct bnn_value *b);

const char *bnn_dtype_name(enum bnn_dtype dtype);

/* uint32 words that hold `channels` bits. */
static inline uint32_t bnn_words(uint32_t channels) { return channels / 32 + (channels % 32 != 0); }

/* The shape as text, "[1, 56, 56, 64]", for messages. */
struct bnn_shape_text {
  char text[80];
};
struct bnn_shape_text bnn_shape_text(const uint32_t *shape, uint32_t rank);

#endif
