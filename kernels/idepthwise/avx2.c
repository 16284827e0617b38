/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "base/simd/codes_avx2.h"

/* A weight fills the lower half of 32 bits: what the sign makes of the upper half of a code meets zero. */
typedef __m256i WEIGHTS;

INLINE WEIGHTS load_weights(const int16_t *w) { return _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)w)); }

INLINE void add_products(VEC *sums, const int8_t *x, WEIGHTS weights) {
  const VEC codes = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)x));
  *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(codes, weights));
}

#include "idepthwise/blocks.h"

TARGET void bnn_idepthwise_8x4_avx2(const struct bnn_idepthwise_pixels *p) { pixels(p); }

#else
typedef int bnn_idepthwise_avx2_is_empty;
#endif
