/* SPDX-License-Identifier: Apache-2.0 */
/* Bits of both NEONs. Eight comparisons of four channels each give masks; BIT takes from the i-th mask the bits that stand
 * for its channels, which leaves each lane a quarter of the word, and the lanes are added up. That ARMv7's NEON flushes
 * denormals is what the thresholds are made for (bitpack.c). */
#include "base/simd/neon.h"
#include "bitpack/tail.h"

static inline uint32_t compare32(const float *x, const float *threshold) {
  static const uint32_t lanes[4] = {1, 2, 4, 8};
  uint32x4_t place = vld1q_u32(lanes), bits = vdupq_n_u32(0);
  for (int i = 0; i < 8; i++, place = vshlq_n_u32(place, 4))
    bits = vbslq_u32(place, vcltq_f32(vld1q_f32(x + 4 * i), vld1q_f32(threshold + 4 * i)), bits);
  return sum_of_lanes(bits);
}

static inline __attribute__((always_inline)) void pack(BNN_BITPACK_ARGUMENTS) {
  for (size_t p = 0; p < pixels; p++) {
    uint32_t c = 0;
    for (; c + 32 <= channels; c += 32, x += 32) *y++ = compare32(x, threshold + c) ^ invert[c / 32];
    if (c == channels) continue;
    *y++ = bnn_bitpack_tail(x, threshold + c, channels - c) ^ invert[c / 32];
    x += channels - c;
  }
}
