/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "peaks/peaks.h"

enum { SUMS = 6 };

BNN_TARGET_POPCNT double bnn_peak_popcount_popcnt(size_t times) {
  uint64_t sum[SUMS] = {0}, w[SUMS] = {1, 2, 3, 4, 5, 6}, x = 7;
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+r"(x)); /* a new word, as far as the compiler knows */
    for (int j = 0; j < SUMS; j++) sum[j] += (uint64_t)__builtin_popcountll(x ^ w[j]);
  }
  for (int j = 0; j < SUMS; j++) __asm__ volatile("" : : "r"(sum[j]));
  return (double)times * SUMS * 64;
}

#else
typedef int bnn_peaks_popcnt_is_empty;
#endif
