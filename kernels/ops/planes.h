/* SPDX-License-Identifier: Apache-2.0 */
/* Bit planes: several bits that together are one number, and what binary layers write of their sums. */
#ifndef BNN_OPS_PLANES_H
#define BNN_OPS_PLANES_H

#include "ops/rules.h"

#define BNN_MAX_THRESHOLDS 255u

/* What plane `plane` counts. */
static inline int32_t bnn_plane_worth(uint32_t code, uint32_t plane) {
  return code == BNN_CODE_BINARY ? 1 << plane : 1;
}

/* What all planes count together. */
int32_t bnn_planes_worth(uint32_t code, uint32_t planes);

/* Input `index`: thresholds [C] or [T, C], or [1] or [T, 1] where `single`. */
enum bnn_status bnn_rule_thresholds(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                                    uint32_t channels, bool single, struct bnn_error *error);
/* T of such an input. */
uint32_t bnn_threshold_count(const struct bnn_value *thresholds);

/* The output is bits whose planes hold every index up to `thresholds`. */
enum bnn_status bnn_rule_planes(const struct bnn_call *call, uint32_t code, uint32_t thresholds,
                                struct bnn_error *error);

/* Writes `index` as bit `channel` of each plane of a pixel that was zero. */
static inline void bnn_write_index(uint32_t *pixel, uint32_t words, uint32_t planes, uint32_t code, uint32_t channel,
                                   uint32_t index) {
  for (uint32_t plane = 0; plane < planes; plane++) {
    uint32_t bit = code == BNN_CODE_BINARY ? index >> plane & 1 : index > plane;
    pixel[plane * words + channel / 32] |= bit << channel % 32;
  }
}

/* Inputs 2 to 6 of a binary layer: what becomes of its sums. */
enum { BNN_IN_MULTIPLIER = 2, BNN_IN_BIAS, BNN_IN_THRESHOLD, BNN_IN_CLAMP_LO, BNN_IN_CLAMP_HI };

struct bnn_output_stage {
  const float *multiplier, *bias;
  const int32_t *clamp_lo, *clamp_hi, *threshold;
  uint32_t thresholds, code, planes, channels;
  float lo, hi;
};

/* Their shapes, and the output's dtype and planes. */
enum bnn_status bnn_rule_output_stage(const struct bnn_call *call, uint32_t code, bool may_be_coded,
                                      struct bnn_error *error);

struct bnn_output_stage bnn_output_stage(const struct bnn_call *call, uint32_t code, float lo, float hi);

/* Writes the sums of one pixel, all its channels, to pixel `pixel` of `output`. */
void bnn_output_pixel(const struct bnn_output_stage *stage, const int32_t *acc, const struct bnn_value *output,
                      size_t pixel);

#endif
