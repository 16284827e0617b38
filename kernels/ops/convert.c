/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/codes.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  if (!bnn_is_coded(x)) BNN_TRY(bnn_rule_input(call, 0, BNN_F32, error));
  if (!bnn_is_coded(y)) BNN_TRY(bnn_rule_output(call, BNN_F32, error));
  if (!bnn_is_coded(x) && !bnn_is_coded(y)) return bnn_broken(call, error, "neither its input nor its output is int8");
  return bnn_rule_same_shape(call, error);
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  if (!bnn_is_coded(y)) {
    bnn_reals(x, begin, end - begin, (float *)y->data + begin);
    return;
  }
  for (size_t at = begin, n; at < end; at += n) {
    float room[BNN_CODE_BLOCK];
    n = end - at < BNN_CODE_BLOCK ? end - at : BNN_CODE_BLOCK;
    bnn_put_codes(y, at, bnn_reals(x, at, n, room), n);
  }
}

const struct bnn_op bnn_op_convert = {check, bnn_plan_elements, run};
