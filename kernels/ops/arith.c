/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/walk.h"

/* One row of n elements; a step is 1, or 0 where the operand repeats. Three loops, so that each can be vectorised. */
typedef void row_function(float *y, const float *a, size_t a_step, const float *b, size_t b_step, size_t n);

#define ROW(name, expression)                                                                                    \
  static void name(float *y, const float *a, size_t a_step, const float *b, size_t b_step, size_t n) {           \
    if (a_step == 1 && b_step == 1) {                                                                            \
      BNN_EACH for (size_t i = 0; i < n; i++) { const float p = a[i], q = b[i]; y[i] = (expression); }           \
    } else if (a_step == 1) {                                                                                    \
      const float q = *b;                                                                                        \
      BNN_EACH for (size_t i = 0; i < n; i++) { const float p = a[i]; y[i] = (expression); }                     \
    } else {                                                                                                     \
      const float p = *a;                                                                                        \
      BNN_EACH for (size_t i = 0; i < n; i++) { const float q = b[i * b_step]; y[i] = (expression); }            \
    }                                                                                                            \
  }

ROW(add, p + q)
ROW(subtract, p - q)
ROW(multiply, p * q)
ROW(divide, p / q)
ROW(minimum, q < p ? q : p)
ROW(maximum, q > p ? q : p)
ROW(less, p < q ? 1.0f : 0.0f)
ROW(less_equal, p <= q ? 1.0f : 0.0f)
ROW(greater, p > q ? 1.0f : 0.0f)
ROW(greater_equal, p >= q ? 1.0f : 0.0f)
ROW(equal, p == q ? 1.0f : 0.0f)
ROW(not_equal, p != q ? 1.0f : 0.0f)

static row_function *const rows[] = {
    [BNN_ADD] = add,         [BNN_SUB] = subtract,
    [BNN_MUL] = multiply,    [BNN_DIV] = divide,
    [BNN_MIN] = minimum,     [BNN_MAX] = maximum,
    [BNN_LESS] = less,       [BNN_LESS_EQUAL] = less_equal,
    [BNN_GREATER] = greater, [BNN_GREATER_EQUAL] = greater_equal,
    [BNN_EQUAL] = equal,     [BNN_NOT_EQUAL] = not_equal,
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_arith_params *params = call->params;
  if (params->kind >= sizeof rows / sizeof *rows || rows[params->kind] == NULL) {
    return bnn_broken(call, error, "kind: there is no arithmetic %u", (unsigned)params->kind);
  }
  BNN_TRY(bnn_rule_floats(call, 2, error));
  return bnn_rule_broadcast(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct bnn_walk *walk = plan->state = bnn_plan_keep(plan, sizeof *walk);
  if (walk == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  bnn_walk_broadcast(walk, call->output, call->inputs, 2);
  plan->units = bnn_walk_rows(walk);
  plan->grain = bnn_grain(bnn_walk_row_length(walk));
  plan->in_place = 1 | 2;
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct bnn_arith_params *params = call->params;
  const struct bnn_walk *walk = plan->state;
  const float *a = call->inputs[0]->data, *b = call->inputs[1]->data;
  uint32_t inner = walk->rank - 1;
  size_t n = bnn_walk_row_length(walk), a_step = walk->stride[0][inner], b_step = walk->stride[1][inner];
  for (size_t row = begin; row < end; row++) {
    size_t at[BNN_WALK_OPERANDS];
    bnn_walk_row(walk, row, at);
    float *y = (float *)call->output->data + row * n;
    rows[params->kind](y, a + at[0], a_step, b + at[1], b_step, n);
    bnn_clamp_row(y, n, params->lo, params->hi);
  }
}

const struct bnn_op bnn_op_arith = {check, plan, run};
