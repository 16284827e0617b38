/* SPDX-License-Identifier: Apache-2.0 */
/* Which of 32 codes lie below their limits, as the bits of a word. Every processor of an architecture has the vectors that
 * this takes, so that there is nothing to choose at run time. */
#ifndef BNN_OPS_SIGNS_H
#define BNN_OPS_SIGNS_H

#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

static inline uint32_t bnn_below(const int8_t *x, const int8_t *limits, uint32_t count) {
  uint32_t word = 0;
  for (uint32_t c = 0; c < count; c++) word |= (uint32_t)(x[c] < limits[c]) << c;
  return word;
}

#if defined(__SSE2__)
static inline uint32_t bnn_below_16(const int8_t *x, const int8_t *limits) {
  const __m128i codes = _mm_loadu_si128((const void *)x), ends = _mm_loadu_si128((const void *)limits);
  return (uint32_t)_mm_movemask_epi8(_mm_cmpgt_epi8(ends, codes));
}

static inline uint32_t bnn_below_32(const int8_t *x, const int8_t *limits) {
  return bnn_below_16(x, limits) | bnn_below_16(x + 16, limits + 16) << 16;
}
#elif defined(__ARM_NEON)
/* Each byte keeps one bit of its own; three rounds of pairwise sums gather eight bytes into one. */
static inline uint32_t bnn_below_32(const int8_t *x, const int8_t *limits) {
  const uint8x8_t place = vcreate_u8(UINT64_C(0x8040201008040201));
  uint8x8_t bits[4];
  for (int i = 0; i < 4; i++) bits[i] = vand_u8(vclt_s8(vld1_s8(x + 8 * i), vld1_s8(limits + 8 * i)), place);
  const uint8x8_t pairs = vpadd_u8(bits[0], bits[1]), others = vpadd_u8(bits[2], bits[3]);
  const uint8x8_t fours = vpadd_u8(pairs, others);
  return vget_lane_u32(vreinterpret_u32_u8(vpadd_u8(fours, fours)), 0);
}
#else
static inline uint32_t bnn_below_32(const int8_t *x, const int8_t *limits) { return bnn_below(x, limits, 32); }
#endif

#endif
