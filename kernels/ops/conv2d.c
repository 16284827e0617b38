/* SPDX-License-Identifier: Apache-2.0 */
#include "sgemm/conv2d.h"

#include "depthwise/depthwise.h"
#include "idepthwise/idepthwise.h"
#include "ops/codes.h"

/* One of two families computes it, for floats and for int8: a filter that reads a single channel has no use for a matrix
 * product. */
struct state {
  bool depthwise;
  struct bnn_conv2d_plan conv2d;
  struct bnn_depthwise_plan depth;
  struct bnn_iconv2d_plan iconv2d;
  struct bnn_idepthwise_plan idepth;
  void *packed;
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_conv2d_params *params = call->params;
  if (bnn_is_coded(call->output)) {
    BNN_TRY(bnn_rule_convolution(call, &params->window, params->groups, error));
    const uint32_t *kernel = call->inputs[1]->shape;
    return bnn_rule_int8_weights(call, (uint64_t)kernel[1] * kernel[2] * kernel[3], kernel[0], error);
  }
  if (bnn_input(call, 3)) return bnn_broken(call, error, "input 3: scales of weights that are no codes");
  BNN_TRY(bnn_rule_floats(call, 1, error));
  BNN_TRY(bnn_rule_constant(call, 1, BNN_F32, error));
  BNN_TRY(bnn_rule_convolution(call, &params->window, params->groups, error));
  return bnn_rule_per_channel(call, 2, BNN_F32, call->output->shape[3], false, error);
}

static enum bnn_status plan_codes(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_conv2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *y = call->output, *bias = bnn_input(call, 2);
  const struct bnn_code_range range = bnn_code_range(y, params->lo, params->hi);
  const struct bnn_iconv2d_problem problem = {
      .batch = x->shape[0],
      .in_h = x->shape[1],
      .in_w = x->shape[2],
      .channels = x->shape[3],
      .out_h = y->shape[1],
      .out_w = y->shape[2],
      .filters = y->shape[3],
      .window = params->window,
      .groups = params->groups,
      .x_zero = x->zero_point,
      .border = bnn_encode(params->pad_value, x->scale, x->zero_point),
      .y_zero = y->zero_point,
      .lo = range.lo,
      .hi = range.hi,
  };
  struct state *state = plan->state;
  const struct bnn_iconv2d_weights weights = {call->inputs[1]->data, bias ? bias->data : NULL,
                                              bnn_layer_ratios(call, plan, y->shape[3])};
  if (weights.ratio == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  state->depthwise = bnn_idepthwise_fits(&problem);
  bool planned = state->depthwise ? bnn_idepthwise_plan(&state->idepth, &problem, plan->select)
                                  : bnn_iconv2d_plan(&state->iconv2d, &problem, plan->select);
  if (!planned) return bnn_no_kernel(call, state->depthwise ? "idepthwise" : "igemm", error);
  state->packed = bnn_plan_keep(plan, state->depthwise ? state->idepth.packed_bytes : state->iconv2d.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  if (state->depthwise) {
    bnn_idepthwise_pack(&state->idepth, &weights, state->packed);
    plan->kernel = bnn_idepthwise_kernel_name(&state->idepth);
    plan->units = state->idepth.units;
  } else {
    bnn_iconv2d_pack(&state->iconv2d, &weights, state->packed);
    plan->kernel = bnn_iconv2d_kernel_name(&state->iconv2d);
    plan->units = state->iconv2d.units;
    plan->scratch_bytes = state->iconv2d.scratch_bytes;
  }
  plan->grain = bnn_grain_macs(bnn_convolution_macs(call), 8, plan->units);
  return BNN_E_OK;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  if (bnn_is_coded(call->output)) return plan_codes(call, plan, error);
  const struct bnn_conv2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *y = call->output, *bias = bnn_input(call, 2);
  const struct bnn_conv2d_problem problem = {
      .batch = x->shape[0],
      .in_h = x->shape[1],
      .in_w = x->shape[2],
      .channels = x->shape[3],
      .out_h = y->shape[1],
      .out_w = y->shape[2],
      .filters = y->shape[3],
      .window = params->window,
      .groups = params->groups,
      .pad_value = params->pad_value,
      .lo = params->lo,
      .hi = params->hi,
  };
  state->depthwise = bnn_depthwise_fits(&problem);
  bool planned = state->depthwise ? bnn_depthwise_plan(&state->depth, &problem, plan->select)
                                  : bnn_conv2d_plan(&state->conv2d, &problem, plan->select);
  if (!planned) return bnn_no_kernel(call, state->depthwise ? "depthwise" : "sgemm", error);
  state->packed = bnn_plan_keep(plan, state->depthwise ? state->depth.packed_bytes : state->conv2d.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  const float *filter = call->inputs[1]->data, *biases = bias ? bias->data : NULL;
  if (state->depthwise) {
    bnn_depthwise_pack(&state->depth, filter, biases, state->packed);
    plan->kernel = bnn_depthwise_kernel_name(&state->depth);
    plan->units = state->depth.units;
    plan->scratch_bytes = state->depth.scratch_bytes;
  } else {
    bnn_conv2d_pack(&state->conv2d, filter, biases, state->packed);
    plan->kernel = bnn_conv2d_kernel_name(&state->conv2d);
    plan->units = state->conv2d.units;
    plan->scratch_bytes = state->conv2d.scratch_bytes;
  }
  plan->grain = bnn_grain_macs(bnn_convolution_macs(call), 4, plan->units);
  return BNN_E_OK;
}

static void run_codes(const struct bnn_call *call, const struct state *state, void *scratch, size_t begin, size_t end) {
  const int8_t *x = call->inputs[0]->data;
  int8_t *y = call->output->data;
  if (state->depthwise) {
    bnn_idepthwise_run(&state->idepth, state->packed, x, y, begin, end);
  } else {
    bnn_iconv2d_run(&state->iconv2d, state->packed, x, y, scratch, begin, end);
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct state *state = plan->state;
  if (bnn_is_coded(call->output)) {
    run_codes(call, state, bnn_plan_scratch(plan, thread), begin, end);
    return;
  }
  const float *x = call->inputs[0]->data;
  float *y = call->output->data;
  void *scratch = bnn_plan_scratch(plan, thread);
  if (state->depthwise) {
    bnn_depthwise_run(&state->depth, state->packed, x, y, scratch, begin, end);
  } else {
    bnn_conv2d_run(&state->conv2d, state->packed, x, y, scratch, begin, end);
  }
}

const struct bnn_op bnn_op_conv2d = {check, plan, run};
