/* SPDX-License-Identifier: Apache-2.0 */
/* The words of idepthwise/blocks.h for NEON of 64 and of 32 bits. */
#include "base/simd/codes_neon.h"

typedef int16x8_t WEIGHTS;

INLINE WEIGHTS load_weights(const int16_t *w) { return vld1q_s16(w); }

INLINE void add_products(VEC *sums, const int8_t *x, WEIGHTS weights) {
  const int16x8_t codes = vmovl_s8(vld1_s8(x));
  sums[0] = vmlal_s16(sums[0], vget_low_s16(codes), vget_low_s16(weights));
  sums[1] = vmlal_s16(sums[1], vget_high_s16(codes), vget_high_s16(weights));
}
