/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 without vectors: eight sums in registers, one XOR, POPCNT and ADD for each 64 products. */
#if defined(__x86_64__)
#include <string.h>

#include "bconv2d/portable.h"

enum { MR = 8, KR = 2 };
#define TARGET BNN_TARGET_POPCNT

TARGET static inline uint64_t load(const uint32_t *words) {
  uint64_t both;
  memcpy(&both, words, sizeof both);
  return both;
}

TARGET void bnn_bconv2d_8x1_popcnt(const struct bnn_bconv2d_tile *t) {
  const uint32_t pairs = t->run_words / KR;
  for (uint32_t p = 0; p < t->pixel_count; p++) {
    const uint32_t *x = bnn_bconv2d_patch(t, p), *w = t->weights;
    uint64_t sum[MR] = {0};
    for (uint32_t i = 0; i < pairs; i++, x += KR, w += MR * KR) {
      const uint64_t word = load(x);
      for (uint32_t c = 0; c < MR; c++) sum[c] += (uint64_t)__builtin_popcountll(word ^ load(w + c * KR));
    }
    uint32_t count[MR];
    for (uint32_t c = 0; c < MR; c++) {
      count[c] = (uint32_t)sum[c];
      if (t->run_words % KR) count[c] += (uint32_t)__builtin_popcount(*x ^ w[c]);
    }
    bnn_bconv2d_write(t, p, count, MR);
  }
}

#else
typedef int bnn_bconv2d_popcnt_is_empty;
#endif
