/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/walk.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_floats(call, 2, error));
  BNN_TRY(bnn_rule_same_shape(call, error));
  return bnn_rule_broadcast(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct bnn_walk walk;
  bnn_walk_broadcast(&walk, call->output, call->inputs, 2);
  plan->in_place = 1;
  bnn_walk_local(&walk, plan);
  return bnn_walk_plan(call, plan, &walk, error);
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct bnn_walk *walk = plan->state;
  const size_t length = bnn_walk_row_length(walk), step = walk->stride[1][walk->rank - 1];
  for (size_t row = begin, rows; row < end; row += rows) {
    size_t at[BNN_WALK_OPERANDS];
    bnn_walk_row(walk, row, at);
    rows = bnn_walk_together(walk, row, end);
    const size_t n = rows * length;
    const float *x = (const float *)call->inputs[0]->data + row * length,
                *alpha = (const float *)call->inputs[1]->data + at[1];
    float *y = (float *)call->output->data + row * length;
    BNN_EACH
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? alpha[i * step] * x[i] : x[i];
  }
}

const struct bnn_op bnn_op_prelu = {check, plan, run};
