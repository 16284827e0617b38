/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_step_params *params = call->params;
  const float *x = call->inputs[0]->data, threshold = params->threshold, low = params->low, high = params->high;
  float *y = call->output->data;
  BNN_EACH
  for (size_t i = begin; i < end; i++) y[i] = bnn_flush(x[i]) >= threshold ? high : low;
}

const struct bnn_op bnn_op_step = {bnn_check_elements, bnn_plan_elements, run};
