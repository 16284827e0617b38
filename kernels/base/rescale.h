/* SPDX-License-Identifier: Apache-2.0 */
/* Real factors of integers, in fixed point: mantissa * 2^(exponent - 31), the mantissa of 31 bits (see bnn/format.h). */
#ifndef BNN_BASE_RESCALE_H
#define BNN_BASE_RESCALE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct bnn_ratio {
  int32_t mantissa;
  int32_t left, right; /* shifts: what the exponent is above zero, and below */
};

#define BNN_MAX_RATIO 65536.0

/* False where a ratio is no positive number, or absurdly large. */
static inline bool bnn_ratio_of(double real, struct bnn_ratio *ratio) {
  if (!(real > 0 && real < BNN_MAX_RATIO)) return false;
  int exponent;
  int64_t mantissa = (int64_t)floor(frexp(real, &exponent) * 2147483648.0 + 0.5);
  if (mantissa == INT64_C(1) << 31) mantissa /= 2, exponent++;
  if (exponent < -31) mantissa = 0, exponent = 0;
  *ratio = (struct bnn_ratio){(int32_t)mantissa, exponent > 0 ? exponent : 0, exponent < 0 ? -exponent : 0};
  return true;
}

/* x times a ratio. What the shift to the left takes out of 32 bits is held at their ends, which lie far outside of int8. */
static inline int32_t bnn_rescale(int32_t x, int32_t mantissa, int32_t left, int32_t right) {
  int64_t wide = (int64_t)x * (INT64_C(1) << left);
  wide = wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : wide;
  const int64_t high = (wide * mantissa + (INT64_C(1) << 30)) >> 31;
  return (int32_t)((high + ((INT64_C(1) << right) >> 1)) >> right);
}

/* The same, but halves of the second step go away from zero. */
static inline int32_t bnn_rescale_away(int32_t x, const struct bnn_ratio *ratio) {
  const int32_t high = bnn_rescale(x, ratio->mantissa, ratio->left, 0);
  const int64_t half = (INT64_C(1) << ratio->right) >> 1;
  return (int32_t)((high + half - (high < 0 && ratio->right > 0)) >> ratio->right);
}

/* A sum as a code: rescaled, moved to the zero point, and held between two codes. */
static inline int8_t bnn_code(int32_t rescaled, int32_t zero, int32_t lo, int32_t hi) {
  const int64_t code = (int64_t)rescaled + zero;
  return (int8_t)(code < lo ? lo : code > hi ? hi : code);
}

/* The code of a real number: halves go away from zero; what is no number becomes -128. */
static inline int8_t bnn_encode(float x, float scale, int32_t zero) {
  float steps = x * (1.0f / scale); /* a loop divides once */
  steps = steps > -1024.0f ? steps : -1024.0f;
  steps = steps < 1024.0f ? steps : 1024.0f;
  const int32_t whole = (int32_t)steps;
  const float rest = steps - (float)whole;
  const int32_t code = whole + (rest >= 0.5f) - (rest <= -0.5f) + zero; /* in 32 bits, as vectors like it */
  return (int8_t)(code < INT8_MIN ? INT8_MIN : code > INT8_MAX ? INT8_MAX : code);
}

#endif
