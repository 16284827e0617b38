/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_clamp_params *params = call->params;
  const float *x = call->inputs[0]->data, lo = params->lo, hi = params->hi;
  float *y = call->output->data;
  BNN_EACH
  for (size_t i = begin; i < end; i++) y[i] = bnn_clampf(x[i], lo, hi);
}

const struct bnn_op bnn_op_clamp = {bnn_check_elements, bnn_plan_elements, run};
