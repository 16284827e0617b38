/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/convolve.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_conv2d_params *params = call->params;
  BNN_TRY(bnn_rule_convolution(call, &params->window, params->groups, error));
  const uint32_t *kernel = call->inputs[1]->shape;
  return bnn_convolve_check(call, (uint64_t)kernel[1] * kernel[2] * kernel[3], kernel[0], error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_conv2d_params *params = call->params;
  const uint32_t *x = call->inputs[0]->shape, *y = call->output->shape;
  const struct bnn_conv2d_problem problem = {
      .sizes = {x[0], x[1], x[2], x[3], y[1], y[2], y[3], params->window, params->groups},
      .pad_value = params->pad_value,
      .lo = params->lo,
      .hi = params->hi,
  };
  return bnn_convolve_plan(call, plan, &problem, error);
}

const struct bnn_op bnn_op_conv2d = {check, plan, bnn_convolve_run};
