/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  BNN_TRY(bnn_rule_moved(call, error));
  if (bnn_value_elements(x) != bnn_value_elements(y)) {
    return bnn_broken(call, error, "%s cannot be reshaped to %s", bnn_shape_text(x->shape, x->rank).text,
                      bnn_shape_text(y->shape, y->rank).text);
  }
  uint32_t before = bnn_value_channels(x), after = bnn_value_channels(y);
  if (x->dtype == BNN_BITS && before != after && (before % 32 || after % 32 || x->planes > 1)) {
    return bnn_fail(error, BNN_E_UNSUPPORTED, "layer '%.80s' (reshape): bits of %u channels cannot become %u in place",
                    call->name, (unsigned)before, (unsigned)after);
  }
  return BNN_E_OK;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)call, (void)error;
  plan->alias = true;
  return BNN_E_OK;
}

const struct bnn_op bnn_op_reshape = {check, plan, NULL};
