/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static size_t element_bytes(enum bnn_dtype dtype) { return dtype == BNN_I8 ? 1 : 4; }

uint32_t bnn_value_channels(const struct bnn_value *value) { return value->rank ? value->shape[value->rank - 1] : 1; }

size_t bnn_value_pixels(const struct bnn_value *value) {
  size_t pixels = 1;
  for (uint32_t axis = 0; axis + 1 < value->rank; axis++) pixels *= value->shape[axis];
  return pixels;
}

size_t bnn_value_elements(const struct bnn_value *value) { return bnn_value_pixels(value) * bnn_value_channels(value); }

size_t bnn_value_pixel_bytes(const struct bnn_value *value) {
  uint32_t channels = bnn_value_channels(value);
  if (value->dtype == BNN_BITS) return (size_t)bnn_words(channels) * value->planes * sizeof(uint32_t);
  return channels * element_bytes(value->dtype);
}

bool bnn_value_measure(struct bnn_value *value) {
  uint64_t elements = 1; /* below 2^28 before each step, so that no product of it with a uint32 overflows */
  for (uint32_t axis = 0; axis < value->rank; axis++) {
    elements *= value->shape[axis];
    if (elements == 0 || elements > BNN_MAX_ELEMENTS) return false;
  }
  uint64_t bytes = (uint64_t)bnn_value_pixels(value) * bnn_value_pixel_bytes(value);
  if (bytes > INT32_MAX) return false;
  value->bytes = (size_t)bytes;
  return true;
}

bool bnn_value_same_shape(const struct bnn_value *a, const struct bnn_value *b) {
  return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

const char *bnn_dtype_name(enum bnn_dtype dtype) {
  switch (dtype) {
    case BNN_F32: return "f32";
    case BNN_I8: return "i8";
    case BNN_I32: return "i32";
    case BNN_BITS: return "bits";
  }
  return "unknown";
}

struct bnn_shape_text bnn_shape_text(const uint32_t *shape, uint32_t rank) {
  struct bnn_shape_text out;
  size_t at = (size_t)snprintf(out.text, sizeof out.text, "[");
  for (uint32_t axis = 0; axis < rank; axis++) {
    at += (size_t)snprintf(out.text + at, sizeof out.text - at, axis ? ", %" PRIu32 : "%" PRIu32, shape[axis]);
  }
  snprintf(out.text + at, sizeof out.text - at, "]");
  return out;
}
