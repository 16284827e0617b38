/* SPDX-License-Identifier: Apache-2.0 */
/* The words of base/simd/codes_avx2.h for AVX-512 with VNNI. */
#ifndef BNN_BASE_SIMD_CODES_H
#define BNN_BASE_SIMD_CODES_H

#include <immintrin.h>

#include "base/cpu.h"

#define TARGET BNN_TARGET_AVX512VNNI
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 16
#define BLOCK_VECTORS 1
typedef __m512i VEC;
#define LOAD_SUMS(p) _mm512_loadu_si512(p)

INLINE VEC rescale(VEC sum, const int32_t *mantissa, const int32_t *left, const int32_t *right) {
  const VEC factor = LOAD_SUMS(mantissa), down = LOAD_SUMS(right), half = _mm512_set1_epi64(1 << 30);
  if (left) {
    const VEC up = LOAD_SUMS(left), most = _mm512_srlv_epi32(_mm512_set1_epi32(INT32_MAX), up);
    sum = _mm512_min_epi32(_mm512_max_epi32(sum, _mm512_xor_si512(most, _mm512_set1_epi32(-1))), most);
    sum = _mm512_sllv_epi32(sum, up);
  }
  const VEC even = _mm512_add_epi64(_mm512_mul_epi32(sum, factor), half);
  const VEC odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(sum, 32), _mm512_srli_epi64(factor, 32)), half);
  const VEC high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
  const VEC last = _mm512_srlv_epi32(high, _mm512_sub_epi32(down, _mm512_set1_epi32(1)));
  return _mm512_add_epi32(_mm512_srav_epi32(high, down), _mm512_and_si512(last, _mm512_set1_epi32(1)));
}

INLINE void store_codes(int8_t *y, const VEC *block, int32_t zero, int32_t lo, int32_t hi) {
  const __m256i moved = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(*block), _mm256_set1_epi16((int16_t)zero));
  const __m128i codes = _mm256_cvtsepi16_epi8(moved);
  const __m128i held = _mm_min_epi8(_mm_max_epi8(codes, _mm_set1_epi8((int8_t)lo)), _mm_set1_epi8((int8_t)hi));
  _mm_storeu_si128((void *)y, held);
}

#endif
