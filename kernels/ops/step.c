/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_floats(call, 1, error));
  return bnn_rule_same_shape(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  bnn_plan_elements(call, plan);
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_step_params *params = call->params;
  const float *x = call->inputs[0]->data, threshold = params->threshold, low = params->low, high = params->high;
  float *y = call->output->data;
  BNN_EACH
  for (size_t i = begin; i < end; i++) y[i] = bnn_flush(x[i]) >= threshold ? high : low;
}

const struct bnn_op bnn_op_step = {check, plan, run};
