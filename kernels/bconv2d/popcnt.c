/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 without vectors: eight sums in registers, one XOR, POPCNT and ADD for each 64 products. */
#if defined(__x86_64__)
#include "base/cpu.h"
#define TARGET BNN_TARGET_POPCNT
#include "bconv2d/portable.h"

enum { MR = 8, KR = 2 };

TARGET static inline uint64_t load(const uint32_t *words) {
  uint64_t both;
  memcpy(&both, words, sizeof both);
  return both;
}

/* Adds the bits that differ in two words of eight channels. */
INLINE void count(const uint32_t *x, const uint32_t *w, uint64_t sum[MR]) {
  const uint64_t word = load(x);
  for (uint32_t c = 0; c < MR; c++) sum[c] += (uint64_t)__builtin_popcountll(word ^ load(w + c * KR));
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const bool narrow, const bool f32, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  for (uint32_t p = 0; p < t.pixel_count; p++) {
    uint64_t sum[MR] = {0};
    for (uint32_t n = 0; n < (narrow ? 1 : t.pass_count); n++) {
      const struct bnn_bconv2d_pass *pass = narrow ? NULL : &t.passes[n];
      const uint32_t *x = bnn_bconv2d_patch(&t, &t.pixels[p], pass), *w = bnn_bconv2d_weights_of(&t, pass);
      for (uint32_t c = 0; c < MR && !narrow; c++) sum[c] <<= pass->doubled;
      for (const uint32_t *end = x + t.words / (2 * KR) * (2 * KR); x != end; x += 2 * KR, w += 2 * MR * KR) {
        count(x, w, sum);
        count(x + KR, w + MR * KR, sum);
      }
      if (t.words & KR) {
        count(x, w, sum);
        x += KR, w += MR * KR;
      }
      for (uint32_t c = 0; t.words % KR && c < MR; c++) sum[c] += (uint64_t)__builtin_popcount(*x ^ w[c]);
    }
    uint32_t popcounts[MR];
    for (uint32_t c = 0; c < MR; c++) popcounts[c] = (uint32_t)sum[c];
    f32 ? write_floats(&t, p, popcounts, MR, narrow, bounded) : write_bits(&t, p, popcounts, MR, narrow);
  }
}

TARGET void bnn_bconv2d_8x1_popcnt(const struct bnn_bconv2d_tile *t) { BNN_BCONV2D_SPECIALISE(t, band, t); }

#else
typedef int bnn_bconv2d_popcnt_is_empty;
#endif
