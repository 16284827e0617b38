/* SPDX-License-Identifier: Apache-2.0 */
/* The words of igemm/tile.h for NEON of 64 and of 32 bits: products of bytes are added up in pairs, each pair of a channel;
 * two products of codes fit 16 bits unless both weights and codes are -128. */
#include <string.h>

#include "base/simd/codes_neon.h"

#define KR 2
typedef int8_t CODE;
typedef int8x8_t WEIGHTS;
typedef int16x4_t FOUR;
#define LOAD_WEIGHTS(p) vld1_s8(p)
#define LOAD_FOUR(p) vreinterpret_s16_s8(vld1_s8(p))
#define LOAD_ONE(p) load_one(p)
#define GROUP(four, i) vreinterpret_s8_s16(vdup_lane_s16(four, i))
#define DOT(sum, weights, group) vpadalq_s16(sum, vmull_s8(weights, group))
#define DOT_TWO(sum, w0, g0, w1, g1) vpadalq_s16(sum, vmlal_s8(vmull_s8(w0, g0), w1, g1))

INLINE int16x4_t load_one(const CODE *codes) {
  int16_t both;
  memcpy(&both, codes, sizeof both);
  return vdup_n_s16(both);
}
