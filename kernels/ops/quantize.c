/* SPDX-License-Identifier: Apache-2.0 */
#include "bitpack/bitpack.h"
#include "ops/loops.h"

struct state {
  struct bnn_bitpack_plan plan;
  void *packed;
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_input(call, 0, BNN_F32, error));
  BNN_TRY(bnn_rule_output(call, BNN_BITS, error));
  uint32_t channels = bnn_value_channels(call->inputs[0]);
  BNN_TRY(bnn_rule_per_channel(call, 1, BNN_F32, channels, true, error));
  BNN_TRY(bnn_rule_per_channel(call, 2, BNN_BITS, channels, false, error));
  return bnn_rule_same_shape(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_bitpack_problem problem = {bnn_value_pixels(call->output), bnn_value_channels(call->output)};
  const struct bnn_value *threshold = call->inputs[1], *invert = bnn_input(call, 2);
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  if (!bnn_bitpack_plan(&state->plan, &problem, plan->select)) return bnn_no_kernel(call, "bitpack", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_bitpack_pack(&state->plan, threshold->data, threshold->shape[0], invert ? invert->data : NULL, state->packed);
  plan->kernel = bnn_bitpack_kernel_name(&state->plan);
  plan->units = state->plan.units;
  plan->grain = bnn_grain(problem.channels);
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct state *state = plan->state;
  bnn_bitpack_run(&state->plan, state->packed, call->inputs[0]->data, call->output->data, begin, end);
}

const struct bnn_op bnn_op_quantize = {check, plan, run};
