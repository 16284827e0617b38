/* SPDX-License-Identifier: Apache-2.0 */
#include "bconv2d/bconv2d.h"

#include "ops/loops.h"

enum { X, FILTER, MULTIPLIER, BIAS, THRESHOLD, CLAMP_LO, CLAMP_HI };

struct state {
  struct bnn_bconv2d_plan plan;
  void *packed;
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_bconv2d_params *params = call->params;
  BNN_TRY(bnn_rule_input(call, X, BNN_BITS, error));
  BNN_TRY(bnn_rule_constant(call, FILTER, BNN_BITS, error));
  BNN_TRY(bnn_rule_convolution(call, &params->window, params->groups, error));
  uint32_t filters = call->output->shape[3], channels = call->inputs[X]->shape[3];
  BNN_TRY(bnn_rule_per_channel(call, MULTIPLIER, BNN_F32, filters, false, error));
  BNN_TRY(bnn_rule_per_channel(call, BIAS, BNN_F32, filters, false, error));
  BNN_TRY(bnn_rule_per_channel(call, THRESHOLD, BNN_I32, filters, false, error));
  BNN_TRY(bnn_rule_per_channel(call, CLAMP_LO, BNN_I32, filters, false, error));
  BNN_TRY(bnn_rule_per_channel(call, CLAMP_HI, BNN_I32, filters, false, error));
  if (params->border > BNN_BORDER_ZERO) return bnn_broken(call, error, "border: unknown");
  if (params->groups > 1 && channels / params->groups % 32) {
    return bnn_broken(call, error, "groups: %u channels a group are not whole words", (unsigned)(channels / params->groups));
  }
  /* acc = taps - 2 * popcount is held in 32 bits. */
  uint64_t taps = (uint64_t)params->window.kernel_h * params->window.kernel_w * (channels / params->groups);
  if (taps > INT32_MAX / 2) return bnn_fail(error, BNN_E_LIMIT, "layer '%.80s' (bconv2d): its sums do not fit 32 bits", call->name);
  if (bnn_input(call, THRESHOLD) == NULL) return bnn_rule_output(call, BNN_F32, error);
  for (uint32_t i = MULTIPLIER; i <= CLAMP_HI; i++) {
    if (i != THRESHOLD && bnn_input(call, i)) return bnn_broken(call, error, "input %u does not go with a threshold", (unsigned)i);
  }
  return bnn_rule_output(call, BNN_BITS, error);
}

static const void *data_of(const struct bnn_call *call, uint32_t index) {
  const struct bnn_value *value = bnn_input(call, index);
  return value ? value->data : NULL;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_bconv2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[X], *y = call->output;
  const struct bnn_bconv2d_problem problem = {
      .batch = x->shape[0],
      .in_h = x->shape[1], .in_w = x->shape[2], .channels = x->shape[3],
      .out_h = y->shape[1], .out_w = y->shape[2], .filters = y->shape[3],
      .window = params->window,
      .groups = params->groups,
      .border = (enum bnn_border)params->border,
      .output = y->dtype == BNN_BITS ? BNN_BCONV2D_BITS : BNN_BCONV2D_F32,
      .lo = params->lo, .hi = params->hi,
  };
  const struct bnn_bconv2d_weights weights = {
      .filter = data_of(call, FILTER),
      .multiplier = data_of(call, MULTIPLIER), .bias = data_of(call, BIAS),
      .clamp_lo = data_of(call, CLAMP_LO), .clamp_hi = data_of(call, CLAMP_HI),
      .threshold = data_of(call, THRESHOLD),
  };
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  bool clamped = weights.clamp_lo || weights.clamp_hi;
  if (!bnn_bconv2d_plan(&state->plan, &problem, clamped, plan->select)) return bnn_no_kernel(call, "bconv2d", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_bconv2d_pack(&state->plan, &weights, state->packed);
  plan->kernel = bnn_bconv2d_kernel_name(&state->plan);
  plan->units = state->plan.units;
  plan->grain = bnn_grain_macs(bnn_convolution_macs(call), 64, plan->units);
  plan->scratch_bytes = state->plan.scratch_bytes;
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct state *state = plan->state;
  bnn_bconv2d_run(&state->plan, state->packed, call->inputs[X]->data, call->output->data, bnn_plan_scratch(plan, thread),
                  begin, end);
}

const struct bnn_op bnn_op_bconv2d = {check, plan, run};
