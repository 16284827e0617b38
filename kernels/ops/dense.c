/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/codes.h"
#include "igemm/conv2d.h"
#include "sgemm/conv2d.h"

struct state {
  struct bnn_conv2d_plan plan;
  struct bnn_iconv2d_plan integers; /* of int8 */
  void *packed;
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[0], *weight = call->inputs[1];
  if (x->rank == 0 || weight->rank != 2 || weight->shape[1] != x->shape[x->rank - 1]) {
    return bnn_broken(call, error, "a weight of %s does not fit an input of %s",
                      bnn_shape_text(weight->shape, weight->rank).text, bnn_shape_text(x->shape, x->rank).text);
  }
  if (bnn_is_coded(call->output)) {
    BNN_TRY(bnn_rule_int8_weights(call, weight->shape[1], weight->shape[0], error));
  } else {
    if (bnn_input(call, 3)) return bnn_broken(call, error, "input 3: scales of weights that are no codes");
    BNN_TRY(bnn_rule_floats(call, 1, error));
    BNN_TRY(bnn_rule_constant(call, 1, BNN_F32, error));
    BNN_TRY(bnn_rule_per_channel(call, 2, BNN_F32, weight->shape[0], false, error));
  }
  uint32_t shape[BNN_MAX_RANK];
  memcpy(shape, x->shape, sizeof shape);
  shape[x->rank - 1] = weight->shape[0];
  return bnn_rule_shape(call, shape, x->rank, error);
}

static enum bnn_status plan_codes(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_dense_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *y = call->output, *weight = call->inputs[1], *bias = bnn_input(call, 2);
  const struct bnn_code_range range = bnn_code_range(y, params->lo, params->hi);
  struct bnn_iconv2d_problem problem =
      bnn_iconv2d_of_dense((uint32_t)bnn_value_pixels(x), weight->shape[1], weight->shape[0]);
  problem.x_zero = problem.border = x->zero_point;
  problem.y_zero = y->zero_point;
  problem.lo = range.lo;
  problem.hi = range.hi;
  struct state *state = plan->state;
  const struct bnn_iconv2d_weights weights = {weight->data, bias ? bias->data : NULL,
                                              bnn_layer_ratios(call, plan, weight->shape[0])};
  if (weights.ratio == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  if (!bnn_iconv2d_plan(&state->integers, &problem, plan->select)) return bnn_no_kernel(call, "igemm", error);
  state->packed = bnn_plan_keep(plan, state->integers.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_iconv2d_pack(&state->integers, &weights, state->packed);
  plan->kernel = bnn_iconv2d_kernel_name(&state->integers);
  plan->units = state->integers.units;
  plan->grain = bnn_grain_macs((uint64_t)bnn_value_elements(y) * weight->shape[1], 8, plan->units);
  plan->scratch_bytes = state->integers.scratch_bytes;
  return BNN_E_OK;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  if (bnn_is_coded(call->output)) return plan_codes(call, plan, error);
  const struct bnn_dense_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *weight = call->inputs[1], *bias = bnn_input(call, 2);
  struct bnn_conv2d_problem problem =
      bnn_conv2d_of_dense((uint32_t)bnn_value_pixels(x), weight->shape[1], weight->shape[0], params->lo, params->hi);
  if (!bnn_conv2d_plan(&state->plan, &problem, plan->select)) return bnn_no_kernel(call, "sgemm", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_conv2d_pack(&state->plan, weight->data, bias ? bias->data : NULL, state->packed);
  plan->kernel = bnn_conv2d_kernel_name(&state->plan);
  plan->units = state->plan.units;
  plan->grain = bnn_grain_macs((uint64_t)bnn_value_elements(call->output) * weight->shape[1], 4, plan->units);
  plan->scratch_bytes = state->plan.scratch_bytes;
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct state *state = plan->state;
  if (bnn_is_coded(call->output)) {
    bnn_iconv2d_run(&state->integers, state->packed, call->inputs[0]->data, call->output->data,
                    bnn_plan_scratch(plan, thread), begin, end);
    return;
  }
  bnn_conv2d_run(&state->plan, state->packed, call->inputs[0]->data, call->output->data, bnn_plan_scratch(plan, thread),
                 begin, end);
}

const struct bnn_op bnn_op_dense = {check, plan, run};
