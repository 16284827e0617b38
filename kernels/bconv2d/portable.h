/* SPDX-License-Identifier: Apache-2.0 */
/* The output of kernels that count in plain C: scalar ones of any architecture. */
#ifndef BNN_BCONV2D_PORTABLE_H
#define BNN_BCONV2D_PORTABLE_H

#include "bconv2d/kernel.h"

static inline float bnn_bconv2d_bound(float value, float lo, float hi) {
  value = value < lo ? lo : value;
  return value > hi ? hi : value;
}

/* sum: acc, or acc / -2 where sums begin at `start`. */
static inline float bnn_bconv2d_transform(const struct bnn_bconv2d_tile *t, uint32_t channel, int32_t sum) {
  float value = (float)sum;
  if (t->clamp_lo) value = bnn_bconv2d_bound(value, t->clamp_lo[channel], t->clamp_hi[channel]);
  const float scaled = value * t->multiplier[channel];
  return bnn_bconv2d_bound(scaled + t->bias[channel], t->lo, t->hi);
}

/* Writes one pixel from its popcounts; mr is at most 32. */
static inline void bnn_bconv2d_write(const struct bnn_bconv2d_tile *t, uint32_t pixel, const uint32_t *popcounts,
                                     const uint32_t mr) {
  const int16_t *start = bnn_bconv2d_start(t, &t->pixels[pixel]);
  const int32_t *base = bnn_bconv2d_base(t, &t->pixels[pixel]);
  unsigned char *y = t->y + pixel * t->y_step;
  if (t->output == BNN_BCONV2D_F32) {
    int32_t sum[32];
    float *out = (float *)(void *)y;
    for (uint32_t c = 0; c < mr; c++) sum[c] = t->start ? start[c] + (int32_t)popcounts[c] : base[c] - 2 * (int32_t)popcounts[c];
    for (uint32_t c = 0; c < mr; c++) out[c] = bnn_bconv2d_transform(t, c, sum[c]);
    return;
  }
  uint32_t bits = 0;
  for (uint32_t c = 0; c < mr; c++)
    bits |= (uint32_t)(t->start ? start[c] + (int32_t)popcounts[c] >= 0 : popcounts[c] >= (uint32_t)base[c]) << c;
  for (uint32_t i = 0; i < mr / 8; i++) y[i] = (unsigned char)(bits >> 8 * i);
}

#endif
