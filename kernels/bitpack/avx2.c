/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "bitpack/tail.h"

#include <immintrin.h>

#define TARGET BNN_TARGET_AVX2

TARGET static inline uint32_t compare(const float *x, const float *threshold) {
  return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(threshold), _CMP_LT_OQ));
}

TARGET void bnn_bitpack_1x32_avx2(BNN_BITPACK_ARGUMENTS) {
  for (size_t p = 0; p < pixels; p++) {
    uint32_t c = 0;
    for (; c + 32 <= channels; c += 32, x += 32) {
      const float *t = threshold + c;
      const uint32_t low = compare(x, t) | compare(x + 8, t + 8) << 8;
      const uint32_t high = compare(x + 16, t + 16) << 16 | compare(x + 24, t + 24) << 24;
      *y++ = (low | high) ^ invert[c / 32];
    }
    if (c == channels) continue;
    *y++ = bnn_bitpack_tail(x, threshold + c, channels - c) ^ invert[c / 32];
    x += channels - c;
  }
}

#else
typedef int bnn_bitpack_avx2_is_empty;
#endif
