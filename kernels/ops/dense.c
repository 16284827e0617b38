/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/loops.h"
#include "sgemm/conv2d.h"

struct state {
  struct bnn_conv2d_plan plan;
  void *packed;
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_floats(call, 1, error));
  BNN_TRY(bnn_rule_constant(call, 1, BNN_F32, error));
  const struct bnn_value *x = call->inputs[0], *weight = call->inputs[1];
  if (x->rank == 0 || weight->rank != 2 || weight->shape[1] != x->shape[x->rank - 1]) {
    return bnn_broken(call, error, "a weight of %s does not fit an input of %s",
                      bnn_shape_text(weight->shape, weight->rank).text, bnn_shape_text(x->shape, x->rank).text);
  }
  BNN_TRY(bnn_rule_per_channel(call, 2, BNN_F32, weight->shape[0], false, error));
  uint32_t shape[BNN_MAX_RANK];
  memcpy(shape, x->shape, sizeof shape);
  shape[x->rank - 1] = weight->shape[0];
  return bnn_rule_shape(call, shape, x->rank, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_dense_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *weight = call->inputs[1], *bias = bnn_input(call, 2);
  struct bnn_conv2d_problem problem =
      bnn_conv2d_of_dense((uint32_t)bnn_value_pixels(x), weight->shape[1], weight->shape[0], params->lo, params->hi);
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
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
  bnn_conv2d_run(&state->plan, state->packed, call->inputs[0]->data, call->output->data, bnn_plan_scratch(plan, thread),
                 begin, end);
}

const struct bnn_op bnn_op_dense = {check, plan, run};
