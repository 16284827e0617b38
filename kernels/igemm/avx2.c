/* SPDX-License-Identifier: Apache-2.0 */
/* Products of int16: those of bytes would add two of them within 16 bits, which do not hold that. */
#if defined(__x86_64__)
#include <string.h>

#include "base/simd/codes_avx2.h"

#define KR 2
#define NR 12
#define VECTORS 2
typedef int16_t CODE;
typedef __m256i WEIGHTS;
typedef const CODE *FOUR;
#define LOAD_WEIGHTS(p) LOAD_SUMS(p)
#define LOAD_FOUR(p) (p)
#define LOAD_ONE(p) (p)
#define DOT(sum, weights, group) _mm256_add_epi32(sum, _mm256_madd_epi16(weights, group))
#define GROUP(four, i) group_of((four) + (i) * KR)

INLINE __m256i group_of(const CODE *codes) {
  int32_t both;
  memcpy(&both, codes, sizeof both);
  return _mm256_set1_epi32(both);
}

#include "igemm/tile.h"

TARGET void bnn_igemm_16x6_avx2(const struct bnn_igemm_tile *t) { band(t, 2, 6); }
TARGET void bnn_igemm_8x12_avx2(const struct bnn_igemm_tile *t) { band(t, 1, 12); }

#else
typedef int bnn_igemm_avx2_is_empty;
#endif
