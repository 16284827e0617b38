/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/planes.h"

#include <string.h>

#include "ops/loops.h"

int32_t bnn_planes_worth(uint32_t code, uint32_t planes) {
  return code == BNN_CODE_BINARY ? (1 << planes) - 1 : (int32_t)planes;
}

uint32_t bnn_threshold_count(const struct bnn_value *thresholds) {
  return thresholds->rank == 2 ? thresholds->shape[0] : 1;
}

enum bnn_status bnn_rule_thresholds(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                                    uint32_t channels, bool single, struct bnn_error *error) {
  BNN_TRY(bnn_rule_constant(call, index, dtype, error));
  const struct bnn_value *value = call->inputs[index];
  uint32_t last = bnn_value_channels(value);
  if (value->rank < 1 || value->rank > 2 || (last != channels && !(single && last == 1))) {
    return bnn_broken(call, error, "the thresholds are %s, but there are %u channels",
                      bnn_shape_text(value->shape, value->rank).text, (unsigned)channels);
  }
  if (bnn_threshold_count(value) > BNN_MAX_THRESHOLDS) {
    return bnn_broken(call, error, "%u thresholds a channel, at most %u", (unsigned)value->shape[0],
                      BNN_MAX_THRESHOLDS);
  }
  return BNN_E_OK;
}

enum bnn_status bnn_rule_planes(const struct bnn_call *call, uint32_t code, uint32_t thresholds,
                                struct bnn_error *error) {
  BNN_TRY(bnn_rule_bits(call, call->output, "the output", error));
  if (code > BNN_CODE_UNARY) return bnn_broken(call, error, "code: unknown");
  if ((int32_t)thresholds <= bnn_planes_worth(code, call->output->planes)) return BNN_E_OK;
  return bnn_broken(call, error, "%u thresholds do not fit %u planes", (unsigned)thresholds,
                    (unsigned)call->output->planes);
}

enum bnn_status bnn_rule_output_stage(const struct bnn_call *call, uint32_t code, bool may_be_coded, struct bnn_error *error) {
  uint32_t channels = bnn_value_channels(call->output);
  const bool coded = may_be_coded && call->output->dtype == BNN_I8;
  BNN_TRY(bnn_rule_per_channel(call, BNN_IN_MULTIPLIER, BNN_F32, channels, false, error));
  BNN_TRY(bnn_rule_per_channel(call, BNN_IN_BIAS, BNN_F32, channels, false, error));
  BNN_TRY(bnn_rule_per_channel(call, BNN_IN_CLAMP_LO, BNN_I32, channels, false, error));
  BNN_TRY(bnn_rule_per_channel(call, BNN_IN_CLAMP_HI, BNN_I32, channels, false, error));
  const struct bnn_value *threshold = bnn_input(call, BNN_IN_THRESHOLD);
  if (threshold == NULL) return coded ? BNN_E_OK : bnn_rule_output(call, BNN_F32, error);
  for (uint32_t i = BNN_IN_MULTIPLIER; i <= BNN_IN_CLAMP_HI; i++) {
    if (i != BNN_IN_THRESHOLD && bnn_input(call, i)) {
      return bnn_broken(call, error, "input %u does not go with a threshold", (unsigned)i);
    }
  }
  BNN_TRY(bnn_rule_thresholds(call, BNN_IN_THRESHOLD, BNN_I32, channels, false, error));
  return bnn_rule_planes(call, code, bnn_threshold_count(threshold), error);
}

static const void *data_of(const struct bnn_call *call, uint32_t index) {
  const struct bnn_value *value = bnn_input(call, index);
  return value ? value->data : NULL;
}

struct bnn_output_stage bnn_output_stage(const struct bnn_call *call, uint32_t code, float lo, float hi) {
  const struct bnn_value *threshold = bnn_input(call, BNN_IN_THRESHOLD);
  return (struct bnn_output_stage){
      .multiplier = data_of(call, BNN_IN_MULTIPLIER),
      .bias = data_of(call, BNN_IN_BIAS),
      .clamp_lo = data_of(call, BNN_IN_CLAMP_LO),
      .clamp_hi = data_of(call, BNN_IN_CLAMP_HI),
      .threshold = data_of(call, BNN_IN_THRESHOLD),
      .thresholds = threshold ? bnn_threshold_count(threshold) : 0,
      .code = code,
      .planes = call->output->planes,
      .channels = bnn_value_channels(call->output),
      .lo = lo,
      .hi = hi,
  };
}

static void write_bits(const struct bnn_output_stage *stage, const int32_t *acc, uint32_t *y) {
  uint32_t words = bnn_words(stage->channels);
  memset(y, 0, (size_t)words * stage->planes * sizeof *y);
  for (uint32_t o = 0; o < stage->channels; o++) {
    uint32_t index = 0;
    for (uint32_t t = 0; t < stage->thresholds; t++)
      index += acc[o] < stage->threshold[(size_t)t * stage->channels + o];
    bnn_write_index(y, words, stage->planes, stage->code, o, index);
  }
}

static void write_floats(const struct bnn_output_stage *stage, const int32_t *acc, float *y) {
  for (uint32_t o = 0; o < stage->channels; o++) {
    int32_t sum = acc[o];
    if (stage->clamp_lo && sum < stage->clamp_lo[o]) sum = stage->clamp_lo[o];
    if (stage->clamp_hi && sum > stage->clamp_hi[o]) sum = stage->clamp_hi[o];
    float value = (float)sum;
    if (stage->multiplier) value *= stage->multiplier[o];
    if (stage->bias) value += stage->bias[o];
    y[o] = bnn_clampf(value, stage->lo, stage->hi);
  }
}

void bnn_output_pixel(const struct bnn_output_stage *stage, const int32_t *acc, const struct bnn_value *output,
                      size_t pixel) {
  if (output->dtype == BNN_BITS) {
    write_bits(stage, acc, (uint32_t *)output->data + pixel * bnn_words(stage->channels) * stage->planes);
  } else {
    write_floats(stage, acc, (float *)output->data + pixel * stage->channels);
  }
}
