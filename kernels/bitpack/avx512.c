/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "bitpack/kernel.h"

#include <immintrin.h>

#define TARGET BNN_TARGET_AVX512

/* 16 bits; lanes outside the mask are not read. */
TARGET static inline uint32_t compare(__mmask16 mask, const float *x, const float *threshold) {
  return _mm512_mask_cmp_ps_mask(mask, _mm512_maskz_loadu_ps(mask, x), _mm512_loadu_ps(threshold), _CMP_LT_OQ);
}

TARGET void bnn_bitpack_1x32_avx512(BNN_BITPACK_ARGUMENTS) {
  for (size_t p = 0; p < pixels; p++)
    for (uint32_t c = 0; c < channels; c += 32) {
      const uint32_t count = channels - c < 32 ? channels - c : 32, mask = count == 32 ? ~0u : (1u << count) - 1;
      const uint32_t low = compare((__mmask16)mask, x, threshold + c);
      const uint32_t high = compare((__mmask16)(mask >> 16), x + (count > 16 ? 16 : 0), threshold + c + 16);
      *y++ = (low | high << 16) ^ invert[c / 32];
      x += count;
    }
}

#else
typedef int bnn_bitpack_avx512_is_empty;
#endif
