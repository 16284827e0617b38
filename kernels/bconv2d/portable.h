/* SPDX-License-Identifier: Apache-2.0 */
/* The output of kernels that count in plain C. Such a file says TARGET and includes this. */
#include <string.h>

#include "bconv2d/kernel.h"

#define INLINE TARGET static inline __attribute__((always_inline))

/* What a sum that began at BNN_BCONV2D_ZERO has become. */
INLINE float float_of(int32_t sum) {
  float value;
  memcpy(&value, &sum, sizeof value);
  return value - bnn_bconv2d_zero;
}

INLINE float bound(float value, float lo, float hi) {
  value = value < lo ? lo : value;
  return value > hi ? hi : value;
}

/* One pixel from its popcounts; mr is at most 32. All values are computed before one is stored, which could change a table,
 * so that compilers make vectors of them. */
INLINE void write_floats(const struct bnn_bconv2d_tile *t, uint32_t pixel, const uint32_t *popcounts, const uint32_t mr,
                         const bool narrow, const bool bounded) {
  const int32_t *start = narrow ? bnn_bconv2d_start(t, &t->pixels[pixel]) : NULL;
  const int32_t *base = narrow ? NULL : bnn_bconv2d_base(t, &t->pixels[pixel]);
  float value[32];
  for (uint32_t c = 0; c < mr; c++)
    value[c] = narrow ? float_of(start[c] + (int32_t)popcounts[c]) : (float)(base[c] - 2 * (int32_t)popcounts[c]);
  for (uint32_t c = 0; bounded && t->clamp_lo && c < mr; c++) value[c] = bound(value[c], t->clamp_lo[c], t->clamp_hi[c]);
  for (uint32_t c = 0; c < mr; c++) value[c] = value[c] * t->multiplier[c];
  for (uint32_t c = 0; c < mr; c++) value[c] = value[c] + t->bias[c];
  for (uint32_t c = 0; bounded && c < mr; c++) value[c] = bound(value[c], t->lo, t->hi);
  memcpy(t->y + pixel * t->y_step, value, mr * sizeof *value);
}

INLINE void write_bits(const struct bnn_bconv2d_tile *t, uint32_t pixel, const uint32_t *popcounts, const uint32_t mr,
                       const bool narrow) {
  const int32_t *start = narrow ? bnn_bconv2d_start(t, &t->pixels[pixel]) : NULL;
  const int32_t *base = narrow ? NULL : bnn_bconv2d_base(t, &t->pixels[pixel]);
  unsigned char *y = t->y + pixel * t->y_step;
  uint32_t bits = 0;
  for (uint32_t c = 0; c < mr; c++)
    bits |= (uint32_t)(narrow ? start[c] + (int32_t)popcounts[c] >= 0 : popcounts[c] >= (uint32_t)base[c]) << c;
  for (uint32_t i = 0; i < mr / 8; i++) y[i] = (unsigned char)(bits >> 8 * i);
}
