/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of int8 tensors and the real numbers that they stand for (see bnn/format.h). */
#ifndef BNN_OPS_CODES_H
#define BNN_OPS_CODES_H

#include "base/rescale.h"
#include "ops/loops.h"

static inline bool bnn_is_coded(const struct bnn_value *value) { return value->dtype == BNN_I8; }

static inline float bnn_decode(const struct bnn_value *value, int32_t code) {
  return value->scale * (float)code - value->scale * (float)value->zero_point;
}

/* n numbers of a value from element `at` on, as floats: those of a float value where they lie, else in `room`. */
static inline const float *bnn_reals(const struct bnn_value *value, size_t at, size_t n, float *room) {
  if (!bnn_is_coded(value)) return (const float *)value->data + at;
  const int8_t *codes = (const int8_t *)value->data + at;
  const float scale = value->scale, shift = scale * (float)value->zero_point;
  BNN_EACH
  for (size_t i = 0; i < n; i++) room[i] = scale * (float)codes[i] - shift;
  return room;
}

/* Writes n floats to a value from element `at` on, as codes. */
static inline void bnn_put_codes(const struct bnn_value *value, size_t at, const float *reals, size_t n) {
  int8_t *codes = (int8_t *)value->data + at;
  const float scale = value->scale;
  const int32_t zero = value->zero_point;
  BNN_EACH
  for (size_t i = 0; i < n; i++) codes[i] = bnn_encode(reals[i], scale, zero);
}

/* Codes between which a clamp holds an int8 value. */
struct bnn_code_range {
  int32_t lo, hi;
};

static inline struct bnn_code_range bnn_code_range(const struct bnn_value *value, float lo, float hi) {
  return (struct bnn_code_range){bnn_encode(lo, value->scale, value->zero_point),
                                 bnn_encode(hi, value->scale, value->zero_point)};
}

/* Numbers that a loop handles at a time where it goes through floats. */
#define BNN_CODE_BLOCK 256u
/* Codes whose sum surely fits 32 bits. */
#define BNN_CODE_TAPS (1u << 22)

/* An input and the output are int8 of the same grid. */
enum bnn_status bnn_rule_same_grid(const struct bnn_call *call, uint32_t index, struct bnn_error *error);

/* Input 0 and the output are floats, or int8 of the same grid. */
enum bnn_status bnn_rule_numbers(const struct bnn_call *call, struct bnn_error *error);

/* Inputs [0, count) and the output are int8. */
enum bnn_status bnn_rule_codes(const struct bnn_call *call, uint32_t count, struct bnn_error *error);

/* The ratio of a product's scale and the output's is one that can be held in fixed point. */
enum bnn_status bnn_rule_ratio(const struct bnn_call *call, double real, struct bnn_ratio *ratio, struct bnn_error *error);

/* Inputs 1 to 3 of a layer that multiplies codes: weights, bias and scales, for `taps` weights of each of `filters`. */
enum bnn_status bnn_rule_int8_weights(const struct bnn_call *call, uint64_t taps, uint32_t filters, struct bnn_error *error);

/* Their ratios, kept with the plan; NULL where there is no memory. */
struct bnn_ratio *bnn_layer_ratios(const struct bnn_call *call, struct bnn_plan *plan, uint32_t filters);

#endif
