/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/walk.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_floats(call, 3, error));
  return bnn_rule_broadcast(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct bnn_walk walk;
  bnn_walk_broadcast(&walk, call->output, call->inputs, 3);
  plan->in_place = 1 | 2 | 4;
  bnn_walk_local(&walk, plan);
  return bnn_walk_plan(call, plan, &walk, error);
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct bnn_walk *walk = plan->state;
  uint32_t inner = walk->rank - 1;
  const size_t length = bnn_walk_row_length(walk), c_step = walk->stride[0][inner], a_step = walk->stride[1][inner],
         b_step = walk->stride[2][inner];
  for (size_t row = begin, rows; row < end; row += rows) {
    size_t at[BNN_WALK_OPERANDS];
    bnn_walk_row(walk, row, at);
    rows = bnn_walk_together(walk, row, end);
    const size_t n = rows * length;
    const float *condition = (const float *)call->inputs[0]->data + at[0];
    const float *a = (const float *)call->inputs[1]->data + at[1], *b = (const float *)call->inputs[2]->data + at[2];
    float *y = (float *)call->output->data + row * length;
    BNN_EACH
    for (size_t i = 0; i < n; i++) y[i] = condition[i * c_step] != 0 ? a[i * a_step] : b[i * b_step];
  }
}

const struct bnn_op bnn_op_select = {check, plan, run};
