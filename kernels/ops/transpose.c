/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/walk.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_transpose_params *params = call->params;
  const struct bnn_value *x = call->inputs[0];
  BNN_TRY(bnn_rule_moved(call, error));
  uint32_t shape[BNN_MAX_RANK], seen = 0;
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    uint32_t from = params->permutation[axis];
    if (from >= x->rank || (seen >> from & 1))
      return bnn_broken(call, error, "permutation: not one of %u axes", (unsigned)x->rank);
    seen |= 1u << from;
    shape[axis] = x->shape[from];
  }
  if (x->dtype == BNN_BITS && params->permutation[x->rank - 1] != x->rank - 1) {
    return bnn_fail(error, BNN_E_UNSUPPORTED,
                    "layer '%.80s' (transpose): there is no kernel that moves the channels of bits", call->name);
  }
  return bnn_rule_shape(call, shape, x->rank, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_transpose_params *params = call->params;
  const struct bnn_value *x = call->inputs[0];
  struct bnn_walk walk = {.rank = x->rank, .operands = 1};
  uint32_t shape[BNN_MAX_RANK];
  size_t stride[BNN_MAX_RANK];
  bnn_word_shape(x, shape);
  bnn_dense_strides(shape, x->rank, stride);
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    walk.shape[axis] = shape[params->permutation[axis]];
    walk.stride[0][axis] = stride[params->permutation[axis]];
  }
  bnn_walk_join(&walk);
  plan->alias = walk.rank == 1 && walk.stride[0][0] == 1; /* only axes of size 1 moved */
  return bnn_walk_plan(call, plan, &walk, error);
}

const struct bnn_op bnn_op_transpose = {check, plan, bnn_walk_gather};
