/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/walk.h"

/* Does a slice of bits take all channels, or whole words of the only plane? */
static bool whole_words(const struct bnn_slice_params *params, const struct bnn_value *x, const struct bnn_value *y) {
  uint32_t inner = x->rank - 1, begin = params->begin[inner], end = begin + y->shape[inner];
  if (y->shape[inner] == x->shape[inner]) return true;
  return x->planes == 1 && params->step[inner] == 1 && begin % 32 == 0 && (end % 32 == 0 || end == x->shape[inner]);
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_slice_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  BNN_TRY(bnn_rule_moved(call, error));
  if (y->rank != x->rank)
    return bnn_broken(call, error, "the output has %u axes, the input %u", (unsigned)y->rank, (unsigned)x->rank);
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    uint64_t last = params->begin[axis] + (uint64_t)(y->shape[axis] - 1) * params->step[axis];
    if (params->step[axis] == 0 || last >= x->shape[axis]) {
      return bnn_broken(call, error, "axis %u: %u from %u in steps of %u, out of %u", (unsigned)axis,
                        (unsigned)y->shape[axis], (unsigned)params->begin[axis], (unsigned)params->step[axis],
                        (unsigned)x->shape[axis]);
    }
  }
  if (x->dtype == BNN_BITS && !whole_words(params, x, y)) {
    return bnn_fail(error, BNN_E_UNSUPPORTED, "layer '%.80s' (slice): its channels of bits are not whole words",
                    call->name);
  }
  return BNN_E_OK;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  const struct bnn_slice_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  struct bnn_walk walk = {.rank = x->rank, .operands = 1};
  uint32_t shape[BNN_MAX_RANK];
  size_t stride[BNN_MAX_RANK];
  bnn_word_shape(x, shape);
  bnn_dense_strides(shape, x->rank, stride);
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    bool words = x->dtype == BNN_BITS && axis + 1 == x->rank;
    walk.shape[axis] = words ? bnn_words(y->shape[axis]) * y->planes : y->shape[axis];
    walk.stride[0][axis] = stride[axis] * (words ? 1 : params->step[axis]);
    walk.base[0] += stride[axis] * (words ? params->begin[axis] / 32 : params->begin[axis]);
  }
  bnn_walk_join(&walk);
  return bnn_walk_plan(call, plan, &walk, error);
}

const struct bnn_op bnn_op_slice = {check, plan, bnn_walk_gather};
