/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "peaks/peaks.h"

#include <immintrin.h>

enum { SUMS = 8, FLOATS = 12 };

/* As bconv2d/avx2.c counts: nibbles already taken apart, two of each of XOR, PSHUFB and ADD for 256 products. */
BNN_TARGET_AVX2 double bnn_peak_popcount_avx2(size_t times) {
  const __m256i table = _mm256_set1_epi64x(0x0302020102010100);
  __m256i sum[SUMS], low = _mm256_set1_epi8(1), high = _mm256_set1_epi8(2);
  for (int j = 0; j < SUMS; j++) sum[j] = _mm256_set1_epi8((char)j);
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+x"(low), "+x"(high)); /* new words, as far as the compiler knows */
    for (int j = 0; j < SUMS; j++) {
      const __m256i first = _mm256_shuffle_epi8(table, _mm256_xor_si256(low, sum[(j + 1) % SUMS]));
      const __m256i second = _mm256_shuffle_epi8(table, _mm256_xor_si256(high, sum[(j + 2) % SUMS]));
      sum[j] = _mm256_add_epi8(_mm256_add_epi8(sum[j], first), second);
    }
  }
  for (int j = 0; j < SUMS; j++) __asm__ volatile("" : : "x"(sum[j]));
  return (double)times * SUMS * 256;
}

BNN_TARGET_AVX2 double bnn_peak_fma_avx2(size_t times) {
  __m256 sum[FLOATS], x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.25f);
  for (int j = 0; j < FLOATS; j++) sum[j] = _mm256_set1_ps((float)j);
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+x"(x), "+x"(y));
    for (int j = 0; j < FLOATS; j++) sum[j] = _mm256_fmadd_ps(x, y, sum[j]);
  }
  for (int j = 0; j < FLOATS; j++) __asm__ volatile("" : : "x"(sum[j]));
  return (double)times * FLOATS * 8 * 2;
}

#else
typedef int bnn_peaks_avx2_is_empty;
#endif
