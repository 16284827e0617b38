/* SPDX-License-Identifier: Apache-2.0 */
/* The word of idepthwise/blocks.h for NEON of 64 and of 32 bits. */
#include "base/simd/codes_neon.h"

INLINE void add_products(VEC *sums, const int8_t *x, const int16_t *w) {
  const int16x8_t codes = vmovl_s8(vld1_s8(x)), weights = vld1q_s16(w);
  sums[0] = vmlal_s16(sums[0], vget_low_s16(codes), vget_low_s16(weights));
  sums[1] = vmlal_s16(sums[1], vget_high_s16(codes), vget_high_s16(weights));
}
