/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__arm__) && defined(__ARM_NEON)
#include "peaks/peaks.h"

#include <arm_neon.h>

enum { SUMS = 6, FLOATS = 10 };

/* One VEOR, one VCNT and one VADD for 128 products. */
double bnn_peak_popcount_neon32(size_t times) {
  uint8x16_t sum[SUMS], w[SUMS], x = vdupq_n_u8(7);
  for (int j = 0; j < SUMS; j++) sum[j] = w[j] = vdupq_n_u8((uint8_t)j);
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+w"(x)); /* a new word, as far as the compiler knows */
    for (int j = 0; j < SUMS; j++) sum[j] = vaddq_u8(sum[j], vcntq_u8(veorq_u8(x, w[j])));
  }
  for (int j = 0; j < SUMS; j++) __asm__ volatile("" : : "w"(sum[j]));
  return (double)times * SUMS * 128;
}

/* VMLA: VFMA came with VFPv4, which the oldest NEON cores lack. */
double bnn_peak_fma_neon32(size_t times) {
  float32x4_t sum[FLOATS], x = vdupq_n_f32(0.5f), y = vdupq_n_f32(0.25f);
  for (int j = 0; j < FLOATS; j++) sum[j] = vdupq_n_f32((float)j);
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+w"(x), "+w"(y));
    for (int j = 0; j < FLOATS; j++) sum[j] = vmlaq_f32(sum[j], x, y);
  }
  for (int j = 0; j < FLOATS; j++) __asm__ volatile("" : : "w"(sum[j]));
  return (double)times * FLOATS * 4 * 2;
}

#else
typedef int bnn_peaks_neon32_is_empty;
#endif
