/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/codes.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_codes(call, 1, error));
  BNN_TRY(bnn_rule_constant(call, 1, BNN_I8, error));
  const struct bnn_value *table = call->inputs[1];
  if (table->rank != 1 || table->shape[0] != 256) {
    return bnn_broken(call, error, "a table of %s has no entry for each of 256 codes",
                      bnn_shape_text(table->shape, table->rank).text);
  }
  return bnn_rule_same_shape(call, error);
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const int8_t *x = call->inputs[0]->data, *table = (const int8_t *)call->inputs[1]->data - INT8_MIN;
  int8_t *y = call->output->data;
  for (size_t i = begin; i < end; i++) y[i] = table[x[i]];
}

const struct bnn_op bnn_op_lookup = {check, bnn_plan_elements, run};
