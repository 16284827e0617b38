/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C, for cores without vectors and without an instruction that counts bits, such as ARM1176. Counts of nibbles are
 * added up for three words (12 at most) before they become counts of bytes, and those for a block of words before they are
 * summed: a word costs eight operations, where counting it alone takes twelve. */
#define TARGET
#include "bconv2d/portable.h"

enum {
  MR = 8,
  LANES = 4, /* channels whose sums a core of sixteen registers holds */
  BLOCK = 30 /* words: sums of bytes of at most 240 */
};

static inline uint32_t nibble_counts(uint32_t word) {
  word -= word >> 1 & 0x55555555u;
  return (word & 0x33333333u) + (word >> 2 & 0x33333333u);
}

static inline uint32_t byte_counts(uint32_t nibbles) { return (nibbles & 0x0F0F0F0Fu) + (nibbles >> 4 & 0x0F0F0F0Fu); }

static inline uint32_t sum_of_bytes(uint32_t bytes) {
  return ((bytes & 0x00FF00FFu) + (bytes >> 8 & 0x00FF00FFu)) * 0x00010001u >> 16;
}

static const uint32_t *count_lanes(const uint32_t *x, const uint32_t *w, uint32_t words, uint32_t count[LANES]) {
  for (uint32_t now; words; words -= now) {
    uint32_t bytes[LANES] = {0}, i = 0;
    now = words < BLOCK ? words : BLOCK;
    for (; i + 3 <= now; i += 3, x += 3, w += 3 * LANES)
      for (uint32_t c = 0; c < LANES; c++)
        bytes[c] += byte_counts(nibble_counts(x[0] ^ w[c]) + nibble_counts(x[1] ^ w[LANES + c]) +
                                nibble_counts(x[2] ^ w[2 * LANES + c]));
    for (; i < now; i++, x++, w += LANES)
      for (uint32_t c = 0; c < LANES; c++) bytes[c] += byte_counts(nibble_counts(*x ^ w[c]));
    for (uint32_t c = 0; c < LANES; c++) count[c] += sum_of_bytes(bytes[c]);
  }
  return w;
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const bool narrow, const bool f32, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  for (uint32_t p = 0; p < t.pixel_count; p++) {
    uint32_t count[MR] = {0};
    for (uint32_t n = 0; n < (narrow ? 1 : t.pass_count); n++) {
      const struct bnn_bconv2d_pass *pass = narrow ? NULL : &t.passes[n];
      const uint32_t *x = bnn_bconv2d_patch(&t, &t.pixels[p], pass), *w = bnn_bconv2d_weights_of(&t, pass);
      for (uint32_t c = 0; c < MR && !narrow; c++) count[c] <<= pass->doubled;
      for (uint32_t first = 0; first < MR; first += LANES) w = count_lanes(x, w, t.words, count + first);
    }
    f32 ? write_floats(&t, p, count, MR, narrow, bounded) : write_bits(&t, p, count, MR, narrow);
  }
}

void bnn_bconv2d_8x1_scalar(const struct bnn_bconv2d_tile *t) { BNN_BCONV2D_SPECIALISE(t, band, t); }
