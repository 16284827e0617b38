/* SPDX-License-Identifier: Apache-2.0 */
/* Does it pay to skip words without a spike? cc -O3 -march=native benchmarks/zero_words.c -o zero_words && ./zero_words
 *
 * The inner loop of a 3x3 layer of 64 channels and 64 filters on AVX-512: for 4 pixels at once with every word; with words
 * left out where all 4 pixels have none; and pixel by pixel with words left out. Prints the spike rate, the share of
 * words without a spike, and the times of the two over the first. See docs/decisions/0009-no-word-is-skipped.md. */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PIXELS = 3136, WORDS = 18, FILTERS = 64, LANES = 16, TILE = 4, ROUNDS = 201 };

static uint32_t x[PIXELS][WORDS], filter[WORDS][FILTERS];
static int32_t y[PIXELS][FILTERS];

typedef void run_fn(void);

static inline __attribute__((always_inline)) void tile(int first, int pixels, int skip) {
  __m512i sum[TILE][FILTERS / LANES];
  for (int p = 0; p < pixels; p++)
    for (int f = 0; f < FILTERS / LANES; f++) sum[p][f] = _mm512_setzero_si512();
  for (int k = 0; k < WORDS; k++) {
    uint32_t any = 0;
    for (int p = 0; p < pixels; p++) any |= x[first + p][k];
    if (skip && !any) continue;
    for (int f = 0; f < FILTERS / LANES; f++) {
      const __m512i w = _mm512_loadu_si512(&filter[k][f * LANES]);
      for (int p = 0; p < pixels; p++) {
        const __m512i both = _mm512_and_si512(w, _mm512_set1_epi32((int)x[first + p][k]));
        sum[p][f] = _mm512_add_epi32(sum[p][f], _mm512_popcnt_epi32(both));
      }
    }
  }
  for (int p = 0; p < pixels; p++)
    for (int f = 0; f < FILTERS / LANES; f++) _mm512_storeu_si512(&y[first + p][f * LANES], sum[p][f]);
}

static void every_word(void) {
  for (int p = 0; p < PIXELS; p += TILE) tile(p, TILE, 0);
}
static void skipped_by_tile(void) {
  for (int p = 0; p < PIXELS; p += TILE) tile(p, TILE, 1);
}
static void skipped_by_pixel(void) {
  for (int p = 0; p < PIXELS; p++) tile(p, 1, 1);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) { return *(const double *)a > *(const double *)b ? 1 : -1; }

int main(void) {
  static run_fn *const runs[] = {every_word, skipped_by_tile, skipped_by_pixel};
  static const double rates[] = {0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001};
  for (int k = 0; k < WORDS; k++)
    for (int f = 0; f < FILTERS; f++) filter[k][f] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
  for (unsigned r = 0; r < sizeof rates / sizeof *rates; r++) {
    int empty = 0;
    for (int p = 0; p < PIXELS; p++)
      for (int k = 0; k < WORDS; k++) {
        x[p][k] = 0;
        for (int bit = 0; bit < 32; bit++) x[p][k] |= (uint32_t)(rand() < rates[r] * RAND_MAX) << bit;
        empty += !x[p][k];
      }
    static double took[3][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
      for (int i = 0; i < 3; i++) {
        const double start = seconds();
        runs[i]();
        took[i][round] = seconds() - start;
      }
    for (int i = 0; i < 3; i++) qsort(took[i], ROUNDS, sizeof(double), ascending);
    printf("%5.1f %% spikes, %5.1f %% of the words empty: skipped by tile %.2f, by pixel %.2f of the time\n",
           100 * rates[r], 100.0 * empty / (PIXELS * WORDS), took[1][ROUNDS / 4] / took[0][ROUNDS / 4],
           took[2][ROUNDS / 4] / took[0][ROUNDS / 4]);
  }
  return 0;
}
