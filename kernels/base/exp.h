/* SPDX-License-Identifier: Apache-2.0 */
/* An exponential that a compiler can vectorise, which it cannot do with a call of the math library. */
#ifndef BNN_BASE_EXP_H
#define BNN_BASE_EXP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* 2^n for n of -126 to 127. */
static inline float bnn_power_of_2(int32_t n) {
  const uint32_t bits = (uint32_t)(n + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

/* e^x, off by less than one unit in the last place; 0 below -87.3, where it would be denormal. x = n ln 2 + r with
 * |r| <= ln 2 / 2, and e^r is a polynomial with the coefficients of Cephes (S. Moshier, expf). */
static inline float bnn_exp(float x) {
  const float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f; /* n * ln2_high is exact */
  const float least = -87.33654f, most = 88.72283f;
  const float magic = 12582912.0f; /* 1.5 * 2^23: has no fraction bits, so that a sum with it is rounded to an integer */
  const float bounded = x < least ? least : x > most ? most : x, sum = bounded * log2_e + magic, n = sum - magic;
  const float r = (bounded - n * ln2_high) - n * ln2_low;
  float p = 1.98756915e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t sum_bits;
  memcpy(&sum_bits, &sum, sizeof sum_bits);
  const int32_t whole = (sum_bits & 0x7fffff) - 0x400000, half = whole >> 1; /* in two steps, for 2^128 is no float */
  p = p * bnn_power_of_2(half) * bnn_power_of_2(whole - half);
  p = x < least ? 0.0f : p;
  return x > most ? INFINITY : p;
}

#endif
