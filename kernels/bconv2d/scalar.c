/* SPDX-License-Identifier: Apache-2.0 */
/* The reference that every other kernel is checked against: one word at a time, nothing clever. */
#include "bconv2d/kernel.h"

enum { MR = 8 };

static uint32_t popcount(uint32_t v) {
  v -= v >> 1 & 0x55555555u;
  v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
  v = (v + (v >> 4)) & 0x0F0F0F0Fu;
  return v * 0x01010101u >> 24;
}

static float bound(float value, float lo, float hi) {
  value = value < lo ? lo : value;
  return value > hi ? hi : value;
}

/* sum: acc, or acc / -2 where sums begin at `start`. */
static float transform(const struct bnn_bconv2d_tile *t, uint32_t channel, int32_t sum) {
  float value = (float)sum;
  if (t->clamp_lo) value = bound(value, t->clamp_lo[channel], t->clamp_hi[channel]);
  const float scaled = value * t->multiplier[channel];
  return bound(scaled + t->bias[channel], t->lo, t->hi);
}

void bnn_bconv2d_8x1_scalar(const struct bnn_bconv2d_tile *t) {
  for (uint32_t p = 0; p < t->pixel_count; p++) {
    uint32_t count[MR] = {0};
    const uint32_t *w = t->weights;
    const uint32_t *x = bnn_bconv2d_patch(t, p);
    for (uint32_t i = 0; i < t->run_words; i++, w += MR)
      for (uint32_t c = 0; c < MR; c++) count[c] += popcount(x[i] ^ w[c]);
    unsigned char *y = t->y + p * t->y_step;
    unsigned bits = 0;
    for (uint32_t c = 0; c < MR; c++) {
      const int32_t popcounts = (int32_t)count[c];
      const int32_t sum = t->start ? bnn_bconv2d_start(t, p)[c] + popcounts : bnn_bconv2d_base(t, p)[c] - 2 * popcounts;
      const bool reached = t->start ? sum >= 0 : count[c] >= (uint32_t)bnn_bconv2d_base(t, p)[c];
      if (t->output == BNN_BCONV2D_F32) ((float *)(void *)y)[c] = transform(t, c, sum);
      bits |= (unsigned)reached << c;
    }
    if (t->output == BNN_BCONV2D_BITS) *y = (unsigned char)bits;
  }
}
