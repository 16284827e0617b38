/* SPDX-License-Identifier: Apache-2.0 */
/* The loops of both NEONs, with as many sums as their registers hold. */
#include "base/simd/neon.h"
#include "peaks/peaks.h"

#define INLINE static inline __attribute__((always_inline))

/* One EOR, one CNT and one reduction for 128 products; in the kernels the last may be an ADDP or UADALP, here it is an ADD. */
INLINE double count_bits(size_t times, const int sums) {
  uint8x16_t sum[8], w[8], x = vdupq_n_u8(7);
  BNN_UNROLL
  for (int j = 0; j < sums; j++) sum[j] = w[j] = vdupq_n_u8((uint8_t)(j + 1));
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+w"(x)); /* a new word, as far as the compiler knows */
    BNN_UNROLL
    for (int j = 0; j < sums; j++) sum[j] = vaddq_u8(sum[j], vcntq_u8(veorq_u8(x, w[j])));
  }
  BNN_UNROLL
  for (int j = 0; j < sums; j++) __asm__ volatile("" : : "w"(sum[j]));
  return (double)times * sums * 128;
}

INLINE double multiply_floats(size_t times, const int sums) {
  VEC sum[16], x = SET1(0.5f), y = SET1(0.25f);
  BNN_UNROLL
  for (int j = 0; j < sums; j++) sum[j] = SET1((float)j);
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+w"(x), "+w"(y));
    BNN_UNROLL
    for (int j = 0; j < sums; j++) sum[j] = FMA(sum[j], x, y);
  }
  BNN_UNROLL
  for (int j = 0; j < sums; j++) __asm__ volatile("" : : "w"(sum[j]));
  return (double)times * sums * LANES * 2;
}
