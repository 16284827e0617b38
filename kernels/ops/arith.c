/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/codes.h"
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

/* Of int8 operands and an int8 result: an arithmetic of integers. Sums are added with bits below the codes. */
enum { SUM_SHIFT = 20 };

struct integers {
  bool product, minus;
  struct bnn_ratio first, second, result;
  int32_t zero[2], y_zero;
  struct bnn_code_range range;
};

struct state {
  struct bnn_walk walk;
  bool coded; /* some operand or the result is int8 */
  bool whole; /* all of them are */
  struct integers integers;
};

static bool all_coded(const struct bnn_call *call) {
  return bnn_is_coded(call->inputs[0]) && bnn_is_coded(call->inputs[1]) && bnn_is_coded(call->output);
}

static enum bnn_status plan_integers(const struct bnn_call *call, struct integers *n, struct bnn_error *error) {
  const struct bnn_arith_params *params = call->params;
  const struct bnn_value *a = call->inputs[0], *b = call->inputs[1], *y = call->output;
  const double first = (double)a->scale, second = (double)b->scale, result = (double)y->scale;
  const double twice = 2 * (first > second ? first : second);
  *n = (struct integers){.product = params->kind == BNN_MUL, .minus = params->kind == BNN_SUB,
                         .zero = {a->zero_point, b->zero_point}, .y_zero = y->zero_point,
                         .range = bnn_code_range(y, params->lo, params->hi)};
  if (n->product) return bnn_rule_ratio(call, first * second / result, &n->result, error);
  if (params->kind != BNN_ADD && !n->minus)
    return bnn_fail(error, BNN_E_UNSUPPORTED, "layer '%.80s' (arith): int8 has sums and products alone", call->name);
  BNN_TRY(bnn_rule_ratio(call, first / twice, &n->first, error));
  BNN_TRY(bnn_rule_ratio(call, second / twice, &n->second, error));
  return bnn_rule_ratio(call, twice / ((1 << SUM_SHIFT) * result), &n->result, error);
}

/* A code, less its zero point, times a ratio of at most a half, with the bits that are added below; rounded once. */
static int32_t summand(int32_t code, const struct bnn_ratio *ratio) {
  const int32_t shift = 31 + ratio->right;
  return (int32_t)(((int64_t)code * (1 << SUM_SHIFT) * ratio->mantissa + (INT64_C(1) << (shift - 1))) >> shift);
}

static void row_of_integers(const struct integers *n, int8_t *y, const int8_t *a, size_t a_step, const int8_t *b,
                            size_t b_step, size_t count) {
  const struct integers k = *n; /* a copy of its own, which no store can change */
  for (size_t i = 0; i < count; i++) {
    const int32_t p = a[i * a_step] - k.zero[0], q = b[i * b_step] - k.zero[1];
    int32_t sum = p * q;
    if (!k.product) {
      const int32_t first = summand(p, &k.first), second = summand(q, &k.second);
      sum = k.minus ? first - second : first + second;
    }
    y[i] = bnn_code(bnn_rescale_away(sum, &k.result), k.y_zero, k.range.lo, k.range.hi);
  }
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_arith_params *params = call->params;
  if (params->kind >= sizeof rows / sizeof *rows || rows[params->kind] == NULL) {
    return bnn_broken(call, error, "kind: there is no arithmetic %u", (unsigned)params->kind);
  }
  for (uint32_t i = 0; i < 2; i++) {
    if (!bnn_is_coded(call->inputs[i])) BNN_TRY(bnn_rule_input(call, i, BNN_F32, error));
  }
  if (!bnn_is_coded(call->output)) BNN_TRY(bnn_rule_output(call, BNN_F32, error));
  if (all_coded(call)) {
    struct integers integers;
    BNN_TRY(plan_integers(call, &integers, error));
  }
  return bnn_rule_broadcast(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  bnn_walk_broadcast(&state->walk, call->output, call->inputs, 2);
  state->whole = all_coded(call);
  state->coded = bnn_is_coded(call->inputs[0]) || bnn_is_coded(call->inputs[1]) || bnn_is_coded(call->output);
  bnn_walk_units(&state->walk, plan);
  bnn_walk_local(&state->walk, plan);
  plan->in_place = 1 | 2;
  return state->whole ? plan_integers(call, &state->integers, error) : BNN_E_OK;
}

/* A row of which some operand or the result is int8: through floats, a block at a time. */
static void row_through_floats(const struct bnn_call *call, size_t to, const size_t at[2], size_t a_step, size_t b_step,
                               size_t n) {
  const struct bnn_arith_params *params = call->params;
  for (size_t i = 0, count; i < n; i += count) {
    float p[BNN_CODE_BLOCK], q[BNN_CODE_BLOCK], room[BNN_CODE_BLOCK];
    count = n - i < BNN_CODE_BLOCK ? n - i : BNN_CODE_BLOCK;
    const float *a = bnn_reals(call->inputs[0], at[0] + i * a_step, a_step ? count : 1, p);
    const float *b = bnn_reals(call->inputs[1], at[1] + i * b_step, b_step ? count : 1, q);
    float *y = bnn_is_coded(call->output) ? room : (float *)call->output->data + to + i;
    rows[params->kind](y, a, a_step, b, b_step, count);
    bnn_clamp_row(y, count, params->lo, params->hi);
    if (bnn_is_coded(call->output)) bnn_put_codes(call->output, to + i, y, count);
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct bnn_arith_params *params = call->params;
  const struct state *state = plan->state;
  const struct bnn_walk *walk = &state->walk;
  const void *a = call->inputs[0]->data, *b = call->inputs[1]->data;
  uint32_t inner = walk->rank - 1;
  const size_t length = bnn_walk_row_length(walk), a_step = walk->stride[0][inner], b_step = walk->stride[1][inner];
  for (size_t row = begin, rows_here; row < end; row += rows_here) {
    size_t at[BNN_WALK_OPERANDS];
    bnn_walk_row(walk, row, at);
    rows_here = bnn_walk_together(walk, row, end);
    const size_t to = row * length, n = rows_here * length;
    if (state->whole) {
      row_of_integers(&state->integers, (int8_t *)call->output->data + to, (const int8_t *)a + at[0], a_step,
                      (const int8_t *)b + at[1], b_step, n);
    } else if (state->coded) {
      row_through_floats(call, to, at, a_step, b_step, n);
    } else {
      float *y = (float *)call->output->data + to;
      rows[params->kind](y, (const float *)a + at[0], a_step, (const float *)b + at[1], b_step, n);
      bnn_clamp_row(y, n, params->lo, params->hi);
    }
  }
}

const struct bnn_op bnn_op_arith = {check, plan, run};
