/* SPDX-License-Identifier: Apache-2.0 */
/* vpdpbusd multiplies unsigned bytes by signed ones and adds four products to a sum of 32 bits. */
#if defined(__x86_64__)
#include <string.h>

#include "base/simd/codes_avx512vnni.h"

#define KR 4
#define NR 16
#define VECTORS 2
typedef int8_t CODE;
typedef __m512i WEIGHTS;
typedef const CODE *FOUR;
#define LOAD_WEIGHTS(p) LOAD_SUMS(p)
#define LOAD_FOUR(p) (p)
#define LOAD_ONE(p) (p)
#define DOT(sum, weights, group) _mm512_dpbusd_epi32(sum, group, weights)
#define GROUP(four, i) group_of((four) + (i) * KR)

INLINE __m512i group_of(const CODE *codes) {
  int32_t all;
  memcpy(&all, codes, sizeof all);
  return _mm512_set1_epi32(all);
}

#include "igemm/tile.h"

TARGET void bnn_igemm_32x12_avx512vnni(const struct bnn_igemm_tile *t) { band(t, 2, 12); }
TARGET void bnn_igemm_16x16_avx512vnni(const struct bnn_igemm_tile *t) { band(t, 1, 16); }

#else
typedef int bnn_igemm_avx512vnni_is_empty;
#endif
