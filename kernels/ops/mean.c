/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/codes.h"
#include "ops/walk.h"

/* Axes that stay and axes that go, as two walks over the input. A unit is one step of the axes that stay; where the
 * last axis is among them, it is left out of the walk and a unit adds whole rows of channels. */
struct state {
  struct bnn_walk stay, go;
  size_t channels, stay_units, go_units;
  struct bnn_ratio ratio; /* of int8 */
};

/* The ratio of the scales, divided by how many are added. */
static struct bnn_ratio ratio_of_mean(struct bnn_ratio ratio, size_t count) {
  int32_t shift = 0;
  while (count >> (shift + 1) && shift < 32 && shift < 31 - ratio.right) shift++;
  const int32_t exponent = ratio.left - ratio.right - shift;
  return (struct bnn_ratio){(int32_t)(((int64_t)ratio.mantissa << shift) / (int64_t)count), exponent > 0 ? exponent : 0,
                            exponent < 0 ? -exponent : 0};
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_mean_params *params = call->params;
  const struct bnn_value *x = call->inputs[0];
  if (bnn_is_coded(call->output)) {
    struct bnn_ratio ratio;
    BNN_TRY(bnn_rule_codes(call, 1, error));
    BNN_TRY(bnn_rule_ratio(call, (double)x->scale / (double)call->output->scale, &ratio, error));
    if (bnn_value_elements(x) / bnn_value_elements(call->output) > BNN_CODE_TAPS)
      return bnn_broken(call, error, "its sums do not fit 32 bits");
  } else {
    BNN_TRY(bnn_rule_floats(call, 1, error));
  }
  if (params->axes >> x->rank) return bnn_broken(call, error, "axes: there are only %u", (unsigned)x->rank);
  uint32_t kept[BNN_MAX_RANK], dropped[BNN_MAX_RANK], rank = 0;
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    bool gone = params->axes >> axis & 1;
    kept[axis] = gone ? 1 : x->shape[axis];
    if (!gone) dropped[rank++] = x->shape[axis];
  }
  if (bnn_rule_shape(call, kept, x->rank, NULL) == BNN_E_OK) return BNN_E_OK;
  return bnn_rule_shape(call, dropped, rank, error);
}

static void add_axis(struct bnn_walk *walk, size_t size, size_t stride) {
  walk->shape[walk->rank] = size;
  walk->stride[0][walk->rank++] = stride;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  const struct bnn_mean_params *params = call->params;
  const struct bnn_value *x = call->inputs[0];
  size_t stride[BNN_MAX_RANK];
  bnn_dense_strides(x->shape, x->rank, stride);
  state->stay.operands = state->go.operands = 1;
  state->channels = 1;
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    if (params->axes >> axis & 1) {
      add_axis(&state->go, x->shape[axis], stride[axis]);
    } else if (axis + 1 == x->rank) {
      state->channels = x->shape[axis];
    } else {
      add_axis(&state->stay, x->shape[axis], stride[axis]);
    }
  }
  bnn_walk_join(&state->stay);
  bnn_walk_join(&state->go);
  state->stay_units = bnn_walk_rows(&state->stay) * bnn_walk_row_length(&state->stay);
  state->go_units = bnn_walk_rows(&state->go) * bnn_walk_row_length(&state->go);
  plan->units = state->stay_units;
  plan->grain = bnn_grain(state->channels * state->go_units);
  plan->scratch_bytes = state->channels * sizeof(double);
  if (bnn_is_coded(call->output)) {
    bnn_ratio_of((double)x->scale / (double)call->output->scale, &state->ratio);
    state->ratio = ratio_of_mean(state->ratio, state->go_units);
  }
  return BNN_E_OK;
}

/* Where step `unit` of a walk lies. */
static size_t place(const struct bnn_walk *walk, size_t unit) {
  size_t offset[BNN_WALK_OPERANDS], length = bnn_walk_row_length(walk);
  bnn_walk_row(walk, unit / length, offset);
  return offset[0] + unit % length * walk->stride[0][walk->rank - 1];
}

static void run_codes(const struct bnn_call *call, const struct state *state, int32_t *sum, size_t begin, size_t end) {
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  const struct bnn_ratio ratio = state->ratio;
  for (size_t unit = begin; unit < end; unit++) {
    const int8_t *origin = (const int8_t *)x->data + place(&state->stay, unit);
    memset(sum, 0, state->channels * sizeof *sum);
    for (size_t step = 0; step < state->go_units; step++) {
      const int8_t *from = origin + place(&state->go, step);
      for (size_t c = 0; c < state->channels; c++) sum[c] += from[c] - x->zero_point;
    }
    int8_t *to = (int8_t *)y->data + unit * state->channels;
    for (size_t c = 0; c < state->channels; c++)
      to[c] = bnn_code(bnn_rescale_away(sum[c], &ratio), y->zero_point, INT8_MIN, INT8_MAX);
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct state *state = plan->state;
  if (bnn_is_coded(call->output)) {
    run_codes(call, state, bnn_plan_scratch(plan, thread), begin, end);
    return;
  }
  double *sum = bnn_plan_scratch(plan, thread); /* an image of 112 x 112 would cost float its last three digits */
  size_t channels = state->channels;
  for (size_t unit = begin; unit < end; unit++) {
    const float *origin = (const float *)call->inputs[0]->data + place(&state->stay, unit);
    memset(sum, 0, channels * sizeof *sum);
    for (size_t step = 0; step < state->go_units; step++) {
      const float *x = origin + place(&state->go, step);
      for (size_t c = 0; c < channels; c++) sum[c] += (double)x[c];
    }
    float *y = (float *)call->output->data + unit * channels;
    for (size_t c = 0; c < channels; c++) y[c] = (float)(sum[c] / (double)state->go_units);
  }
}

const struct bnn_op bnn_op_mean = {check, plan, run};
