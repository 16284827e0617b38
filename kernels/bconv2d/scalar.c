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

static float output_f32(const struct bnn_bconv2d_tile *t, uint32_t channel, int32_t acc) {
  float value = (float)acc;
  if (t->clamp_lo) value = bound(value, t->clamp_lo[channel], t->clamp_hi[channel]);
  const float scaled = value * t->multiplier[channel];
  return bound(scaled + t->bias[channel], t->lo, t->hi);
}

void bnn_bconv2d_8x1_scalar(const struct bnn_bconv2d_tile *t) {
  for (uint32_t p = 0; p < t->pixel_count; p++) {
    uint32_t count[MR] = {0};
    const uint32_t *w = t->weights;
    const uint32_t *x = t->x + t->pixels[p].patch;
    for (uint32_t i = 0; i < t->run_words; i++, w += MR)
      for (uint32_t c = 0; c < MR; c++) count[c] += popcount(x[i] ^ w[c]);
    const int32_t *base = t->base + t->pixels[p].base;
    unsigned char *y = t->y + p * t->y_step;
    if (t->output == BNN_BCONV2D_F32) {
      float *out = (float *)(void *)y;
      for (uint32_t c = 0; c < MR; c++) out[c] = output_f32(t, c, base[c] - 2 * (int32_t)count[c]);
    } else {
      unsigned bits = 0;
      for (uint32_t c = 0; c < MR; c++) bits |= (unsigned)(count[c] >= (uint32_t)base[c]) << c;
      *y = (unsigned char)bits;
    }
  }
}
