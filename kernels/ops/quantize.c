/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bitpack/bitpack.h"
#include "ops/codes.h"
#include "ops/planes.h"
#include "ops/signs.h"

/* The family computes one threshold a channel of floats; several are counted by the loop below. Of int8 and one threshold,
 * a bit is (code < limit | always) ^ invert. */
struct state {
  struct bnn_bitpack_plan plan;
  void *packed;    /* NULL: not the family */
  int8_t *limits;  /* [32 * words], or NULL */
  uint32_t *masks; /* [words] of always, [words] of invert */
};

/* The first code that is not below a threshold, 128 where all of them are. */
static int32_t first_not_below(const struct bnn_value *x, float threshold) {
  int32_t code = INT8_MIN;
  while (code <= INT8_MAX && bnn_flush(bnn_decode(x, code)) < threshold) code++;
  return code;
}

static enum bnn_status plan_codes(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct state *state = plan->state;
  const struct bnn_value *threshold = call->inputs[1], *invert = bnn_input(call, 2);
  const uint32_t channels = bnn_value_channels(call->output), words = bnn_words(channels);
  state->limits = bnn_plan_keep(plan, (size_t)words * 32);
  state->masks = bnn_plan_keep(plan, 2 * words * sizeof *state->masks);
  if (!state->limits || !state->masks) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  const float *thresholds = threshold->data;
  const uint32_t step = bnn_value_channels(threshold) == 1 ? 0 : 1;
  for (uint32_t c = 0; c < channels; c++) {
    const int32_t limit = first_not_below(call->inputs[0], thresholds[c * step]);
    state->limits[c] = (int8_t)(limit > INT8_MAX ? INT8_MAX : limit);
    if (limit > INT8_MAX) state->masks[c / 32] |= 1u << c % 32;
  }
  if (invert) memcpy(state->masks + words, invert->data, words * sizeof *state->masks);
  plan->kernel = "quantize_codes";
  bnn_plan_pixels(call, plan, channels);
  return BNN_E_OK;
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_quantize_params *params = call->params;
  if (!bnn_is_coded(call->inputs[0])) BNN_TRY(bnn_rule_input(call, 0, BNN_F32, error));
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
  plan->local = true;
  if (bnn_threshold_count(threshold) > 1 || call->output->planes > 1) {
    plan->kernel = "quantize_planes";
    bnn_plan_pixels(call, plan, (size_t)problem.channels * bnn_threshold_count(threshold));
    return BNN_E_OK;
  }
  if (bnn_is_coded(call->inputs[0])) return plan_codes(call, plan, error);
  if (!bnn_bitpack_plan(&state->plan, &problem, plan->select)) return bnn_no_kernel(call, "bitpack", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_bitpack_pack(&state->plan, threshold->data, bnn_value_channels(threshold), invert ? invert->data : NULL,
                   state->packed);
  plan->kernel = bnn_bitpack_kernel_name(&state->plan);
  bnn_plan_pixels(call, plan, problem.channels);
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
    const size_t at = pixel * channels;
    uint32_t *y = (uint32_t *)call->output->data + pixel * words * planes;
    memset(y, 0, (size_t)words * planes * sizeof *y);
    for (uint32_t c = 0; c < channels; c++) {
      uint32_t index = 0;
      float room, value = bnn_flush(*bnn_reals(call->inputs[0], at + c, 1, &room));
      for (uint32_t t = 0; t < count; t++) index += value < limits[(size_t)t * width + (width == 1 ? 0 : c)];
      if (flips && (flips[c / 32] >> c % 32 & 1)) index = count - index;
      bnn_write_index(y, words, planes, params->code, c, index);
    }
  }
}

static void run_codes(const struct bnn_call *call, const struct state *state, size_t begin, size_t end) {
  const uint32_t channels = bnn_value_channels(call->output), words = bnn_words(channels);
  for (size_t pixel = begin; pixel < end; pixel++) {
    const int8_t *x = (const int8_t *)call->inputs[0]->data + pixel * channels;
    uint32_t *y = (uint32_t *)call->output->data + pixel * words;
    for (uint32_t word = 0; word < words; word++, x += 32) {
      const uint32_t left = channels - word * 32, count = left < 32 ? left : 32;
      const uint32_t below = count == 32 ? bnn_below_32(x, state->limits + word * 32) : bnn_below(x, state->limits + word * 32, count);
      y[word] = (below | state->masks[word]) ^ state->masks[words + word];
    }
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct state *state = plan->state;
  if (state->limits != NULL) {
    run_codes(call, state, begin, end);
  } else if (state->packed == NULL) {
    run_planes(call, begin, end);
  } else {
    bnn_bitpack_run(&state->plan, state->packed, call->inputs[0]->data, call->output->data, begin, end);
  }
}

const struct bnn_op bnn_op_quantize = {check, plan, run};
