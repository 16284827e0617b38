/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lif/lif.h"
#include "ops/loops.h"

/* Rank and sizes of the input without its first axis. */
static bool is_a_step(const struct bnn_value *value, const struct bnn_value *x) {
  if (x->rank == 0 || value->rank != x->rank - 1) return false;
  return memcmp(value->shape, x->shape + 1, value->rank * sizeof *value->shape) == 0;
}

static enum bnn_status check_constants(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[0];
  for (uint32_t i = 1; i <= BNN_LIF_CONSTANTS; i++) {
    const struct bnn_value *value = bnn_input(call, i);
    if (value == NULL) continue;
    if (is_a_step(value, x)) {
      BNN_TRY(bnn_rule_constant(call, i, BNN_F32, error));
    } else {
      BNN_TRY(bnn_rule_per_channel(call, i, BNN_F32, bnn_value_channels(x), true, error));
    }
  }
  return BNN_E_OK;
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_lif_params *params = call->params;
  BNN_TRY(bnn_rule_input(call, 0, BNN_F32, error));
  BNN_TRY(check_constants(call, error));
  if (params->emit > BNN_EMIT_MEMBRANE || params->reset > BNN_RESET_VALUE || params->strict > 1 || params->spike > 1) {
    return bnn_broken(call, error, "emit, reset, strict or spike is out of range");
  }
  if ((params->emit == BNN_EMIT_MEMBRANE) != (bnn_input(call, 1) == NULL)) {
    return bnn_broken(call, error, "neurons without a threshold give their membrane, others spikes");
  }
  bool bits = call->output->dtype == BNN_BITS && params->emit == BNN_EMIT_SPIKE;
  BNN_TRY(bnn_rule_output(call, bits ? BNN_BITS : BNN_F32, error));
  return bnn_rule_same_shape(call, error);
}

struct state {
  struct bnn_lif_plan plan;
  void *packed;
};

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_lif_params *params = call->params;
  struct bnn_lif_problem problem = {bnn_value_pixels(call->output), bnn_value_channels(call->output), *params,
                                    call->output->dtype == BNN_BITS, {NULL}, {0}};
  for (uint32_t k = 0; k < BNN_LIF_CONSTANTS; k++) {
    const struct bnn_value *value = bnn_input(call, k + 1);
    if (value == NULL) continue;
    problem.constants[k] = value->data;
    problem.counts[k] = bnn_value_elements(value);
  }
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  if (!bnn_lif_plan(&state->plan, &problem, plan->select)) return bnn_no_kernel(call, "lif", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  bnn_lif_pack(&state->plan, state->packed);
  plan->kernel = bnn_lif_kernel_name(&state->plan);
  bnn_plan_pixels(call, plan, 4 * (size_t)problem.channels);
  plan->local = true;
  plan->in_place = call->output->dtype == BNN_F32;
  plan->memory_bytes = bnn_value_elements(call->output) * sizeof(float);
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct state *state = plan->state;
  bnn_lif_run(&state->plan, state->packed, call->inputs[0]->data, (float *)(void *)plan->memory, call->output->data,
              *plan->first_step, begin, end);
}

const struct bnn_op bnn_op_lif = {check, plan, run};
