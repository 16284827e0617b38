/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "peaks/peaks.h"

#include <immintrin.h>

enum { SUMS = 12 };

BNN_TARGET_AVX512 double bnn_peak_popcount_avx512(size_t times) {
  __m512i sum[SUMS], w[SUMS], x = _mm512_set1_epi32(7);
  for (int j = 0; j < SUMS; j++) sum[j] = w[j] = _mm512_set1_epi32(j + 1); /* XOR with 0 would be none */
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+v"(x)); /* a new word, as far as the compiler knows */
    for (int j = 0; j < SUMS; j++) sum[j] = _mm512_add_epi32(sum[j], _mm512_popcnt_epi32(_mm512_xor_si512(x, w[j])));
  }
  for (int j = 0; j < SUMS; j++) __asm__ volatile("" : : "v"(sum[j]));
  return (double)times * SUMS * 512;
}

BNN_TARGET_AVX512 double bnn_peak_fma_avx512(size_t times) {
  __m512 sum[SUMS], x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.25f);
  for (int j = 0; j < SUMS; j++) sum[j] = _mm512_set1_ps((float)j);
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+v"(x), "+v"(y));
    for (int j = 0; j < SUMS; j++) sum[j] = _mm512_fmadd_ps(x, y, sum[j]);
  }
  for (int j = 0; j < SUMS; j++) __asm__ volatile("" : : "v"(sum[j]));
  return (double)times * SUMS * 16 * 2;
}

#else
typedef int bnn_peaks_avx512_is_empty;
#endif
