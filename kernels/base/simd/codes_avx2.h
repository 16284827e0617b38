/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels of int8 codes make of their sums, for AVX2. The files codes_<isa>.h say the same words:
 *   VEC of LANES int32 sums; a block is BLOCK_VECTORS of them; TARGET stands before each function
 *   rescale(sum, mantissa, left, right): as bnn_rescale does it; left is NULL where no ratio is above 1
 *   store_codes(y, block, zero, lo, hi): a block of codes, moved to the zero point and held between two codes */
#ifndef BNN_BASE_SIMD_CODES_H
#define BNN_BASE_SIMD_CODES_H

#include <immintrin.h>

#include "base/cpu.h"

#define TARGET BNN_TARGET_AVX2
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 8
#define BLOCK_VECTORS 1
typedef __m256i VEC;
#define LOAD_SUMS(p) _mm256_loadu_si256((const void *)(p))

INLINE VEC rescale(VEC sum, const int32_t *mantissa, const int32_t *left, const int32_t *right) {
  const VEC factor = LOAD_SUMS(mantissa), down = LOAD_SUMS(right), half = _mm256_set1_epi64x(1 << 30);
  if (left) {
    const VEC up = LOAD_SUMS(left), most = _mm256_srlv_epi32(_mm256_set1_epi32(INT32_MAX), up);
    sum = _mm256_min_epi32(_mm256_max_epi32(sum, _mm256_xor_si256(most, _mm256_set1_epi32(-1))), most);
    sum = _mm256_sllv_epi32(sum, up);
  }
  const VEC even = _mm256_add_epi64(_mm256_mul_epi32(sum, factor), half);
  const VEC odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(sum, 32), _mm256_srli_epi64(factor, 32)), half);
  const VEC high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
  /* The last bit that is shifted out rounds; there is none where nothing is. */
  const VEC last = _mm256_srlv_epi32(high, _mm256_sub_epi32(down, _mm256_set1_epi32(1)));
  return _mm256_add_epi32(_mm256_srav_epi32(high, down), _mm256_and_si256(last, _mm256_set1_epi32(1)));
}

INLINE void store_codes(int8_t *y, const VEC *block, int32_t zero, int32_t lo, int32_t hi) {
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(*block), _mm256_extracti128_si256(*block, 1));
  const __m128i moved = _mm_adds_epi16(words, _mm_set1_epi16((int16_t)zero)), codes = _mm_packs_epi16(moved, moved);
  const __m128i held = _mm_min_epi8(_mm_max_epi8(codes, _mm_set1_epi8((int8_t)lo)), _mm_set1_epi8((int8_t)hi));
  _mm_storel_epi64((void *)y, held);
}

#endif
