/* SPDX-License-Identifier: Apache-2.0 */
/* The idepthwise kernel, in the words of base/simd/codes_<isa>.h and these of an ISA file, which includes this:
 *   WEIGHTS of a block of channels, load_weights(p); add_products(sums, x, weights): to their sums, their codes times these */
#include "idepthwise/kernel.h"

enum { BLOCK = BLOCK_VECTORS * LANES, MOST = BNN_IDEPTHWISE_PIXELS };

/* The channels [c, c + BLOCK) of n pixels from `first` on. */
INLINE void block(const struct bnn_idepthwise_pixels *p, uint32_t first, uint32_t c, const uint32_t n) {
  VEC sums[MOST][BLOCK_VECTORS];
  BNN_UNROLL
  for (uint32_t i = 0; i < n; i++)
    BNN_UNROLL
    for (int v = 0; v < BLOCK_VECTORS; v++) sums[i][v] = LOAD_SUMS(p->bias + c + v * LANES);
  const int16_t *w = p->weights + c;
  for (uint32_t tap = 0; tap < p->tap_count; tap++, w += p->padded) {
    const WEIGHTS weights = load_weights(w);
    BNN_UNROLL
    for (uint32_t i = 0; i < n; i++) add_products(sums[i], p->taps[first + i][tap] + c, weights);
  }
  BNN_UNROLL
  for (uint32_t i = 0; i < n; i++) {
    BNN_UNROLL
    for (int v = 0; v < BLOCK_VECTORS; v++) {
      const size_t at = c + (size_t)v * LANES;
      sums[i][v] = rescale(sums[i][v], p->mantissa + at, p->left ? p->left + at : NULL, p->right + at);
    }
    store_codes(p->y + (size_t)(first + i) * p->channels + c, sums[i], p->y_zero, p->lo, p->hi);
  }
}

INLINE void pixels(const struct bnn_idepthwise_pixels *p) {
  uint32_t c = 0;
  for (; c + BLOCK <= p->channels; c += BLOCK) {
    if (p->pixel_count == MOST) {
      block(p, 0, c, MOST);
      continue;
    }
    for (uint32_t i = 0; i < p->pixel_count; i++) block(p, i, c, 1);
  }
  for (; c < p->channels; c++)
    for (uint32_t i = 0; i < p->pixel_count; i++) bnn_idepthwise_channel(p, i, c);
}
