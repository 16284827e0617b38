/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/convolve.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[0], *weight = call->inputs[1];
  if (x->rank == 0 || weight->rank != 2 || weight->shape[1] != x->shape[x->rank - 1]) {
    return bnn_broken(call, error, "a weight of %s does not fit an input of %s",
                      bnn_shape_text(weight->shape, weight->rank).text, bnn_shape_text(x->shape, x->rank).text);
  }
  BNN_TRY(bnn_convolve_check(call, weight->shape[1], weight->shape[0], error));
  uint32_t shape[BNN_MAX_RANK];
  memcpy(shape, x->shape, sizeof shape);
  shape[x->rank - 1] = weight->shape[0];
  return bnn_rule_shape(call, shape, x->rank, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_dense_params *params = call->params;
  const uint32_t *weight = call->inputs[1]->shape;
  const struct bnn_conv2d_problem problem = {
      .sizes = bnn_convolution_of_dense((uint32_t)bnn_value_pixels(call->inputs[0]), weight[1], weight[0]),
      .lo = params->lo,
      .hi = params->hi,
  };
  return bnn_convolve_plan(call, plan, &problem, error);
}

const struct bnn_op bnn_op_dense = {check, plan, bnn_convolve_run};
