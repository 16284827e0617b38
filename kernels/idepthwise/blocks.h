/* SPDX-License-Identifier: Apache-2.0 */
/* The idepthwise kernel, in the words of base/simd/codes_<isa>.h and one of an ISA file, which includes this:
 *   add_products(sums, x, w): to the sums of a block of channels, their codes times their weights */
#include "idepthwise/kernel.h"

enum { BLOCK = BLOCK_VECTORS * LANES };

INLINE void pixel(const struct bnn_idepthwise_pixel *p) {
  uint32_t c = 0;
  for (; c + BLOCK <= p->channels; c += BLOCK) {
    VEC sums[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++) sums[v] = LOAD_SUMS(p->bias + c + v * LANES);
    const int16_t *w = p->weights + c;
    for (uint32_t tap = 0; tap < p->tap_count; tap++, w += p->padded) add_products(sums, p->taps[tap] + c, w);
    for (int v = 0; v < BLOCK_VECTORS; v++) {
      const size_t at = c + (size_t)v * LANES;
      sums[v] = rescale(sums[v], p->mantissa + at, p->left ? p->left + at : NULL, p->right + at);
    }
    store_codes(p->y + c, sums, p->y_zero, p->lo, p->hi);
  }
  for (; c < p->channels; c++) bnn_idepthwise_channel(p, c);
}
