/* SPDX-License-Identifier: Apache-2.0 */
/* The words of base/simd/codes_avx2.h for NEON of 64 and of 32 bits. TARGET may be said before, where a kernel needs more
 * than NEON. */
#ifndef BNN_BASE_SIMD_CODES_H
#define BNN_BASE_SIMD_CODES_H

#include <arm_neon.h>

#ifndef TARGET
#define TARGET
#endif
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 4
#define BLOCK_VECTORS 2
typedef int32x4_t VEC;
#define LOAD_SUMS(p) vld1q_s32(p)

INLINE VEC rescale(VEC sum, const int32_t *mantissa, const int32_t *left, const int32_t *right) {
  if (left) sum = vqshlq_s32(sum, LOAD_SUMS(left));
  return vrshlq_s32(vqrdmulhq_s32(sum, LOAD_SUMS(mantissa)), vnegq_s32(LOAD_SUMS(right)));
}

INLINE void store_codes(int8_t *y, const VEC *block, int32_t zero, int32_t lo, int32_t hi) {
  const int16x8_t words = vcombine_s16(vqmovn_s32(block[0]), vqmovn_s32(block[1]));
  const int8x8_t codes = vqmovn_s16(vqaddq_s16(words, vdupq_n_s16((int16_t)zero)));
  vst1_s8(y, vmin_s8(vmax_s8(codes, vdup_n_s8((int8_t)lo)), vdup_n_s8((int8_t)hi)));
}

#endif
