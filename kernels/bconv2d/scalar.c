/* SPDX-License-Identifier: Apache-2.0 */
/* The reference that every other kernel is checked against: one word at a time, nothing clever. */
#include "bconv2d/portable.h"

enum { MR = 8 };

static uint32_t popcount(uint32_t v) {
  v -= v >> 1 & 0x55555555u;
  v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
  v = (v + (v >> 4)) & 0x0F0F0F0Fu;
  return v * 0x01010101u >> 24;
}

void bnn_bconv2d_8x1_scalar(const struct bnn_bconv2d_tile *t) {
  for (uint32_t p = 0; p < t->pixel_count; p++) {
    uint32_t count[MR] = {0};
    const uint32_t *x = bnn_bconv2d_patch(t, p), *w = t->weights;
    for (uint32_t i = 0; i < t->run_words; i++, w += MR)
      for (uint32_t c = 0; c < MR; c++) count[c] += popcount(x[i] ^ w[c]);
    bnn_bconv2d_write(t, p, count, MR);
  }
}
