/* SPDX-License-Identifier: Apache-2.0 */
/* sdot adds four products of bytes to a sum of 32 bits, for four channels at once. */
#if defined(__aarch64__)
#include "base/cpu.h"
#define TARGET BNN_TARGET_DOTPROD
#include <string.h>

#include "base/simd/codes_neon.h"

#define KR 4
#define NR 8
#define VECTORS 4
typedef int8_t CODE;
typedef int8x16_t WEIGHTS;
typedef int32x4_t FOUR;
#define LOAD_WEIGHTS(p) vld1q_s8(p)
#define LOAD_FOUR(p) vreinterpretq_s32_s8(vld1q_s8(p))
#define LOAD_ONE(p) load_one(p)
#define GROUP(four, i) vreinterpretq_s8_s32(vdupq_laneq_s32(four, i))
#define DOT(sum, weights, group) vdotq_s32(sum, weights, group)

INLINE int32x4_t load_one(const CODE *codes) {
  int32_t all;
  memcpy(&all, codes, sizeof all);
  return vdupq_n_s32(all);
}

#include "igemm/tile.h"

TARGET void bnn_igemm_16x4_dotprod(const struct bnn_igemm_tile *t) { band(t, 4, 4); }
TARGET void bnn_igemm_8x8_dotprod(const struct bnn_igemm_tile *t) { band(t, 2, 8); }

#else
typedef int bnn_igemm_dotprod_is_empty;
#endif
