/* SPDX-License-Identifier: Apache-2.0 */
#include "peaks/peaks.h"

enum { SUMS = 8, FLOATS = 16 };

static uint32_t popcount(uint32_t v) {
  v -= v >> 1 & 0x55555555u;
  v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
  v = (v + (v >> 4)) & 0x0F0F0F0Fu;
  return v * 0x01010101u >> 24;
}

double bnn_peak_popcount_scalar(size_t times) {
  uint32_t sum[SUMS] = {0}, w[SUMS] = {1, 2, 3, 4, 5, 6, 7, 8}, x = 9;
  for (size_t i = 0; i < times; i++) {
    __asm__ volatile("" : "+r"(x)); /* a new word, as far as the compiler knows */
    for (int j = 0; j < SUMS; j++) sum[j] += popcount(x ^ w[j]);
  }
  for (int j = 0; j < SUMS; j++) __asm__ volatile("" : : "r"(sum[j]));
  return (double)times * SUMS * 32;
}

double bnn_peak_fma_scalar(size_t times) {
  float sum[FLOATS];
  for (int j = 0; j < FLOATS; j++) sum[j] = (float)j;
  for (size_t i = 0; i < times; i++)
    for (int j = 0; j < FLOATS; j++) sum[j] = sum[j] * 0.5f + 1.0f;
  for (int j = 0; j < FLOATS; j++) __asm__ volatile("" : : "r"(sum[j]));
  return (double)times * FLOATS * 2;
}
