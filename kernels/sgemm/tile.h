/* SPDX-License-Identifier: Apache-2.0 */
/* The sgemm tile, written in the words of base/simd/<isa>.h: `vectors` vectors of channels (at most 2) by `nr` pixels (at
 * most 16) of sums in registers, four input values of each pixel at a time. An ISA file includes this and calls `band` with
 * constants. */
#include "sgemm/kernel.h"

#define INLINE TARGET static inline __attribute__((always_inline))

enum {
  VECTORS = 2,
  NR = 16,
  SETS = 4, /* of sums, for a single pixel: one set alone would wait for each product to arrive */
};

struct sums {
  VEC of[NR][VECTORS];
};

/* Multiplies value `lane` of each quad by its weights. A lane is a constant of the instruction, hence no loop over them. */
#define MULTIPLY(lane)                                                                               \
  do {                                                                                               \
    VEC weight[VECTORS];                                                                             \
    for (int v = 0; v < vectors; v++) weight[v] = LOAD(w + ((lane) * vectors + v) * LANES);          \
    for (int p = 0; p < n; p++)                                                                      \
      for (int v = 0; v < vectors; v++)                                                              \
        sum->of[n == 1 ? lane : p][v] = FMA_LANE(sum->of[n == 1 ? lane : p][v], weight[v], x[p], lane); \
  } while (0)

INLINE void multiply_run(const struct bnn_sgemm_tile *t, const float *const from[NR], const float *w, const int vectors,
                         const int n, struct sums *sum) {
  uint32_t i = 0;
  QUAD x[NR];
  for (; i + 4 <= t->run_words; i += 4, w += 4 * vectors * LANES) {
    for (int p = 0; p < n; p++) x[p] = LOAD_QUAD(from[p] + i);
    MULTIPLY(0);
    MULTIPLY(1);
    MULTIPLY(2);
    MULTIPLY(3);
  }
  for (; i < t->run_words; i++, w += vectors * LANES) {
    for (int p = 0; p < n; p++) x[p] = LOAD_ONE(from[p] + i);
    MULTIPLY(0);
  }
}

INLINE void pixels(const struct bnn_sgemm_tile *t, uint32_t first, const int vectors, const int n) {
  struct sums sum;
  const float *from[NR], *w = t->weights;
  for (int p = 0; p < n; p++) from[p] = t->x + t->patches[first + (uint32_t)p];
  for (int p = 0; p < (n == 1 ? SETS : n); p++)
    for (int v = 0; v < vectors; v++) sum.of[p][v] = n == 1 && p ? SET1(0.0f) : LOAD(t->bias + v * LANES);
  for (uint32_t run = 0; run < t->runs; run++, w += (size_t)t->run_words * (size_t)(vectors * LANES)) {
    multiply_run(t, from, w, vectors, n, &sum);
    for (int p = 0; p < n; p++) from[p] += t->between_runs;
  }
  for (int v = 0; n == 1 && v < vectors; v++)
    sum.of[0][v] = ADD(ADD(sum.of[0][v], sum.of[1][v]), ADD(sum.of[2][v], sum.of[3][v]));
  const VEC lo = SET1(t->lo), hi = SET1(t->hi);
  for (int p = 0; p < n; p++)
    for (int v = 0; v < vectors; v++)
      STORE(t->y + (first + (uint32_t)p) * t->y_step + v * LANES, MIN(MAX(sum.of[p][v], lo), hi));
}

INLINE void band(const struct bnn_sgemm_tile *tile, const int vectors, const int nr) {
  const struct bnn_sgemm_tile t = *tile; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + (uint32_t)nr <= t.pixel_count; p += (uint32_t)nr) pixels(&t, p, vectors, nr);
  for (; nr > 4 && p + 4 <= t.pixel_count; p += 4) pixels(&t, p, vectors, 4);
  for (; nr > 2 && p + 2 <= t.pixel_count; p += 2) pixels(&t, p, vectors, 2);
  for (; p < t.pixel_count; p++) pixels(&t, p, vectors, 1);
}
