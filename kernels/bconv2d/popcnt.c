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

TARGET static inline __attribute__((always_inline)) void band(const struct bnn_bconv2d_tile *t, const bool narrow) {
  const uint32_t words = t->run_words;
  for (uint32_t p = 0; p < t->pixel_count; p++) {
    uint64_t sum[MR] = {0};
    for (uint32_t n = 0; n < (narrow ? 1 : t->pass_count); n++) {
      const struct bnn_bconv2d_pass *pass = narrow ? NULL : &t->passes[n];
      const uint32_t *x = bnn_bconv2d_patch(t, &t->pixels[p], pass), *w = bnn_bconv2d_weights_of(t, pass);
      for (uint32_t c = 0; c < MR && !narrow; c++) sum[c] <<= pass->doubled;
      for (uint32_t i = words / KR; i; i--, x += KR, w += MR * KR) {
        const uint64_t word = load(x);
        for (uint32_t c = 0; c < MR; c++) sum[c] += (uint64_t)__builtin_popcountll(word ^ load(w + c * KR));
      }
      for (uint32_t c = 0; words % KR && c < MR; c++) sum[c] += (uint64_t)__builtin_popcount(*x ^ w[c]);
    }
    uint32_t count[MR];
    for (uint32_t c = 0; c < MR; c++) count[c] = (uint32_t)sum[c];
    bnn_bconv2d_write(t, p, count, MR);
  }
}

TARGET void bnn_bconv2d_8x1_popcnt(const struct bnn_bconv2d_tile *t) { t->start ? band(t, true) : band(t, false); }

#else
typedef int bnn_bconv2d_popcnt_is_empty;
#endif
