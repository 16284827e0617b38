/* SPDX-License-Identifier: Apache-2.0 */
/* The igemm tile, in the words of base/simd/codes_<isa>.h and these of an ISA file, which includes this and calls `band`
 * with constants:
 *   KR codes of a channel are multiplied at once, of type CODE; NR pixels at most, of VECTORS vectors of channels at most
 *   WEIGHTS of a vector's channels, LOAD_WEIGHTS(p); FOUR groups of KR codes, LOAD_FOUR(p), of which LOAD_ONE(p) has but the
 *   first; GROUP(four, i) is one of them, for all channels
 *   DOT(sum, weights, group); DOT_TWO(sum, weights, group, weights, group) where `narrow` holds */
#include "base/cpu.h"
#include "igemm/kernel.h"

#define WEIGHT_CODES (LANES * KR)

struct sums {
  VEC of[NR][VECTORS];
};

/* Group i of each pixel. It is a constant of the instruction, hence no loop over it. */
#define MULTIPLY(i)                                                                                    \
  do {                                                                                                 \
    WEIGHTS weights[VECTORS];                                                                          \
    BNN_UNROLL                                                                                         \
    for (int v = 0; v < vectors; v++) weights[v] = LOAD_WEIGHTS(w + ((i)*vectors + v) * WEIGHT_CODES); \
    BNN_UNROLL                                                                                         \
    for (int p = 0; p < n; p++)                                                                        \
      BNN_UNROLL                                                                                        \
      for (int v = 0; v < vectors; v++) sum->of[p][v] = DOT(sum->of[p][v], weights[v], GROUP(x[p], i)); \
  } while (0)

/* Groups i and j = i + 1. */
#ifdef DOT_TWO
#define MULTIPLY_TWO(i, j)                                                                                          \
  do {                                                                                                              \
    if (!narrow) {                                                                                                  \
      MULTIPLY(i);                                                                                                  \
      MULTIPLY(j);                                                                                                  \
      break;                                                                                                        \
    }                                                                                                               \
    WEIGHTS first[VECTORS], second[VECTORS];                                                                        \
    BNN_UNROLL                                                                                                      \
    for (int v = 0; v < vectors; v++) {                                                                             \
      first[v] = LOAD_WEIGHTS(w + ((i)*vectors + v) * WEIGHT_CODES);                                                \
      second[v] = LOAD_WEIGHTS(w + ((j)*vectors + v) * WEIGHT_CODES);                                               \
    }                                                                                                               \
    BNN_UNROLL                                                                                                      \
    for (int p = 0; p < n; p++)                                                                                     \
      BNN_UNROLL                                                                                                    \
      for (int v = 0; v < vectors; v++)                                                                             \
        sum->of[p][v] = DOT_TWO(sum->of[p][v], first[v], GROUP(x[p], i), second[v], GROUP(x[p], j));                \
  } while (0)
#else
#define MULTIPLY_TWO(i, j) \
  do {                     \
    MULTIPLY(i);           \
    MULTIPLY(j);           \
  } while (0)
#endif

INLINE void multiply_run(uint32_t run, const CODE *const from[NR], const CODE *w, const int vectors, const int n,
                         const bool narrow, struct sums *sum) {
  (void)narrow;
  FOUR x[NR];
  uint32_t k = 0;
  for (; k + 4 * KR <= run; k += 4 * KR, w += 4 * vectors * WEIGHT_CODES) {
    BNN_UNROLL
    for (int p = 0; p < n; p++) x[p] = LOAD_FOUR(from[p] + k);
    MULTIPLY_TWO(0, 1);
    MULTIPLY_TWO(2, 3);
  }
  for (; k < run; k += KR, w += vectors * WEIGHT_CODES) {
    BNN_UNROLL
    for (int p = 0; p < n; p++) x[p] = LOAD_ONE(from[p] + k);
    MULTIPLY(0);
  }
}

/* The sums of one pixel, as codes. */
INLINE void finish(const struct bnn_igemm_tile *t, VEC *sums, int8_t *y, const int vectors) {
  for (int v = 0; v < vectors; v++) {
    const int32_t *left = t->left ? t->left + v * LANES : NULL;
    sums[v] = rescale(sums[v], t->mantissa + v * LANES, left, t->right + v * LANES);
  }
  for (int v = 0; v < vectors; v += BLOCK_VECTORS) store_codes(y + v * LANES, sums + v, t->y_zero, t->lo, t->hi);
}

INLINE void pixels(const struct bnn_igemm_tile *t, uint32_t first, const int vectors, const int n, const bool narrow) {
  struct sums sum;
  const CODE *from[NR], *w = t->weights;
  BNN_UNROLL
  for (int p = 0; p < n; p++) {
    from[p] = (const CODE *)t->x + t->patches[first + (uint32_t)p];
    BNN_UNROLL
    for (int v = 0; v < vectors; v++) sum.of[p][v] = LOAD_SUMS(t->bias + v * LANES);
  }
  for (uint32_t run = 0; run < t->runs; run++, w += (size_t)t->run * (size_t)(vectors * LANES)) {
    multiply_run(t->run, from, w, vectors, n, narrow, &sum);
    BNN_UNROLL
    for (int p = 0; p < n; p++) from[p] += t->between_runs;
  }
  VEC out[NR][VECTORS]; /* in memory, for a loop that need not be unrolled */
  BNN_UNROLL
  for (int p = 0; p < n; p++)
    BNN_UNROLL
    for (int v = 0; v < vectors; v++) out[p][v] = sum.of[p][v];
  for (int p = 0; p < n; p++) finish(t, out[p], t->y + (first + (uint32_t)p) * t->y_step, vectors);
}

INLINE void band_of(const struct bnn_igemm_tile *tile, const int vectors, const int nr, const bool narrow) {
  const struct bnn_igemm_tile t = *tile; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + (uint32_t)nr <= t.pixel_count; p += (uint32_t)nr) pixels(&t, p, vectors, nr, narrow);
  for (; nr > 4 && p + 4 <= t.pixel_count; p += 4) pixels(&t, p, vectors, 4, narrow);
  for (; nr > 2 && p + 2 <= t.pixel_count; p += 2) pixels(&t, p, vectors, 2, narrow);
  for (; p < t.pixel_count; p++) pixels(&t, p, vectors, 1, narrow);
}

INLINE void band(const struct bnn_igemm_tile *tile, const int vectors, const int nr) {
#ifdef DOT_TWO
  if (tile->narrow) {
    band_of(tile, vectors, nr, true);
    return;
  }
#endif
  band_of(tile, vectors, nr, false);
}
