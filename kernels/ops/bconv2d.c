/* SPDX-License-Identifier: Apache-2.0 */
#include "bconv2d/bconv2d.h"

#include "ops/loops.h"
#include "ops/planes.h"

struct state {
  struct bnn_bconv2d_plan plan;
  void *packed;
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_bconv2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *filter = call->inputs[1];
  BNN_TRY(bnn_rule_bits(call, x, "input 0", error));
  BNN_TRY(bnn_rule_constant_bits(call, 1, error));
  BNN_TRY(bnn_rule_convolution(call, &params->window, params->groups, error));
  if (params->border > BNN_BORDER_ZERO) return bnn_broken(call, error, "border: unknown");
  if (params->x_code > BNN_CODE_UNARY || params->w_code > BNN_CODE_UNARY)
    return bnn_broken(call, error, "code: unknown");
  uint32_t channels = x->shape[3] / params->groups;
  if (params->groups > 1 && channels % 32) {
    return bnn_broken(call, error, "groups: %u channels a group are not whole words", (unsigned)channels);
  }
  uint64_t taps = (uint64_t)params->window.kernel_h * params->window.kernel_w * channels;
  uint64_t worth = (uint64_t)bnn_planes_worth(params->x_code, x->planes) *
                   (uint64_t)bnn_planes_worth(params->w_code, filter->planes);
  if (taps > INT32_MAX / 2 / worth) { /* acc = taps - 2 * popcount is held in 32 bits */
    return bnn_fail(error, BNN_E_LIMIT, "layer '%.80s' (bconv2d): its sums do not fit 32 bits", call->name);
  }
  return bnn_rule_output_stage(call, params->y_code, true, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  const struct bnn_bconv2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  const struct bnn_output_stage stage = bnn_output_stage(call, params->y_code, params->lo, params->hi);
  const struct bnn_bconv2d_problem problem = {
      .sizes = {x->shape[0], x->shape[1], x->shape[2], x->shape[3], y->shape[1], y->shape[2], y->shape[3],
                params->window, params->groups},
      .border = (enum bnn_border)params->border,
      .output = y->dtype == BNN_BITS ? BNN_BCONV2D_BITS : BNN_BCONV2D_F32,
      .lo = params->lo,
      .code_scale = y->dtype == BNN_I8 ? y->scale : 0.0f,
      .code_zero = y->zero_point,
      .hi = params->hi,
      .x_planes = {x->planes, (enum bnn_code)params->x_code},
      .w_planes = {call->inputs[1]->planes, (enum bnn_code)params->w_code},
      .y_planes = {y->planes, (enum bnn_code)params->y_code},
      .thresholds = stage.thresholds,
  };
  const struct bnn_bconv2d_weights weights = {
      .filter = call->inputs[1]->data,
      .multiplier = stage.multiplier,
      .bias = stage.bias,
      .clamp_lo = stage.clamp_lo,
      .clamp_hi = stage.clamp_hi,
      .threshold = stage.threshold,
  };
  bool clamped = weights.clamp_lo || weights.clamp_hi;
  if (!bnn_bconv2d_plan(&state->plan, &problem, clamped, plan->select)) return bnn_no_kernel(call, "bconv2d", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_bconv2d_pack(&state->plan, &weights, state->packed);
  plan->kernel = bnn_bconv2d_kernel_name(&state->plan);
  plan->units = state->plan.units;
  plan->bands = &state->plan.patches;
  plan->grain = bnn_grain_macs(bnn_convolution_macs(call), 64, plan->units);
  plan->scratch_bytes = state->plan.scratch_bytes;
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct state *state = plan->state;
  void *scratch = bnn_plan_scratch(plan, thread);
  bnn_bconv2d_run(&state->plan, state->packed, call->inputs[0]->data, call->output->data, scratch, begin, end);
}

const struct bnn_op bnn_op_bconv2d = {check, plan, run};
