/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bitpack/bitpack.h"
#include "ops/loops.h"
#include "ops/planes.h"

/* The family computes one threshold a channel; several are counted by the loop below. */
struct state {
  struct bnn_bitpack_plan plan;
  void *packed; /* NULL: the loop */
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_quantize_params *params = call->params;
  BNN_TRY(bnn_rule_input(call, 0, BNN_F32, error));
  uint32_t channels = bnn_value_channels(call->inputs[0]);
  BNN_TRY(bnn_rule_thresholds(call, 1, BNN_F32, channels, true, error));
  BNN_TRY(bnn_rule_per_channel(call, 2, BNN_BITS, channels, false, error));
  BNN_TRY(bnn_rule_planes(call, params->code, bnn_threshold_count(call->inputs[1]), error));
  return bnn_rule_same_shape(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_bitpack_problem problem = {bnn_value_pixels(call->output), bnn_value_channels(call->output)};
  const struct bnn_value *threshold = call->inputs[1], *invert = bnn_input(call, 2);
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  if (bnn_threshold_count(threshold) > 1 || call->output->planes > 1) {
    plan->kernel = "quantize_planes";
    plan->units = problem.pixels;
    plan->grain = bnn_grain((size_t)problem.channels * bnn_threshold_count(threshold));
    return BNN_E_OK;
  }
  if (!bnn_bitpack_plan(&state->plan, &problem, plan->select)) return bnn_no_kernel(call, "bitpack", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_bitpack_pack(&state->plan, threshold->data, bnn_value_channels(threshold), invert ? invert->data : NULL,
                   state->packed);
  plan->kernel = bnn_bitpack_kernel_name(&state->plan);
  plan->units = state->plan.units;
  plan->grain = bnn_grain(problem.channels);
  return BNN_E_OK;
}

static void run_planes(const struct bnn_call *call, size_t begin, size_t end) {
  const struct bnn_quantize_params *params = call->params;
  const struct bnn_value *thresholds = call->inputs[1], *invert = bnn_input(call, 2);
  uint32_t channels = bnn_value_channels(call->output), words = bnn_words(channels), planes = call->output->planes;
  uint32_t count = bnn_threshold_count(thresholds), width = bnn_value_channels(thresholds);
  const float *limits = thresholds->data;
  const uint32_t *flips = invert ? invert->data : NULL;
  for (size_t pixel = begin; pixel < end; pixel++) {
    const float *x = (const float *)call->inputs[0]->data + pixel * channels;
    uint32_t *y = (uint32_t *)call->output->data + pixel * words * planes;
    memset(y, 0, (size_t)words * planes * sizeof *y);
    for (uint32_t c = 0; c < channels; c++) {
      uint32_t index = 0;
      float value = bnn_flush(x[c]);
      for (uint32_t t = 0; t < count; t++) index += value < limits[(size_t)t * width + (width == 1 ? 0 : c)];
      if (flips && (flips[c / 32] >> c % 32 & 1)) index = count - index;
      bnn_write_index(y, words, planes, params->code, c, index);
    }
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct state *state = plan->state;
  if (state->packed == NULL) {
    run_planes(call, begin, end);
  } else {
    bnn_bitpack_run(&state->plan, state->packed, call->inputs[0]->data, call->output->data, begin, end);
  }
}

const struct bnn_op bnn_op_quantize = {check, plan, run};
