/* SPDX-License-Identifier: Apache-2.0 */
/* The depthwise kernel, written in the words of base/simd/<isa>.h: VECTORS vectors of channels by NR pixels, so that weights
 * are loaded once for NR pixels. An ISA file says VECTORS and NR and includes this. */
#include <string.h>

#include "depthwise/kernel.h"

#define MR (VECTORS * LANES)
#define INLINE TARGET static inline __attribute__((always_inline))

/* The channels [c, c + vectors * LANES) of n pixels. */
INLINE void tile(const struct bnn_depthwise_band *b, uint32_t first, uint32_t c, const int n, const int vectors) {
  VEC sum[NR][VECTORS];
  const float *from[NR];
  for (int p = 0; p < n; p++) {
    from[p] = b->x + b->patches[first + (uint32_t)p] + c;
    for (int v = 0; v < vectors; v++) sum[p][v] = LOAD(b->bias + c + v * LANES);
  }
  const float *w = b->weights + c;
  for (uint32_t row = 0; row < b->rows; row++) {
    for (uint32_t tap = 0; tap < b->taps; tap++, w += b->padded)
      for (int v = 0; v < vectors; v++) {
        const VEC weight = LOAD(w + v * LANES);
        for (int p = 0; p < n; p++)
          sum[p][v] = FMA(sum[p][v], LOAD(from[p] + (size_t)tap * b->channels + v * LANES), weight);
      }
    for (int p = 0; p < n; p++) from[p] += b->between_rows;
  }
  const VEC lo = SET1(b->lo), hi = SET1(b->hi);
  for (int p = 0; p < n; p++)
    for (int v = 0; v < vectors; v++)
      STORE(b->y + (size_t)(first + (uint32_t)p) * b->channels + c + v * LANES, MIN(MAX(sum[p][v], lo), hi));
}

/* Channels that fill no vector, one at a time: a load beyond them could leave the tensor. */
INLINE void single(const struct bnn_depthwise_band *b, uint32_t first, uint32_t c) {
  float sum = b->bias[c];
  const float *from = b->x + b->patches[first] + c, *w = b->weights + c;
  for (uint32_t row = 0; row < b->rows; row++, from += b->between_rows)
    for (uint32_t tap = 0; tap < b->taps; tap++, w += b->padded) sum += from[(size_t)tap * b->channels] * *w;
  sum = sum < b->lo ? b->lo : sum;
  b->y[(size_t)first * b->channels + c] = sum > b->hi ? b->hi : sum;
}

INLINE void pixels(const struct bnn_depthwise_band *b, uint32_t first, const int n) {
  uint32_t c = 0;
  for (; c + MR <= b->channels; c += MR) tile(b, first, c, n, VECTORS);
  for (; c + LANES <= b->channels; c += LANES) tile(b, first, c, n, 1);
  for (; c < b->channels; c++)
    for (int p = 0; p < n; p++) single(b, first + (uint32_t)p, c);
}

INLINE void band(const struct bnn_depthwise_band *band) {
  const struct bnn_depthwise_band b = *band; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + NR <= b.pixel_count; p += NR) pixels(&b, p, NR);
  for (; p < b.pixel_count; p++) pixels(&b, p, 1);
}
