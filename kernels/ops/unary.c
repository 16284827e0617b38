/* SPDX-License-Identifier: Apache-2.0 */
#include "base/exp.h"
#include "ops/loops.h"

/* Half to even without a rounding instruction: 2^23 has no fraction bits, so adding it rounds as the unit does. */
static inline float round_even(float x) {
  const float whole = 8388608.0f, size = fabsf(x);
  return size < whole ? copysignf((size + whole) - whole, x) : x;
}

#define EACH(name, expression)                             \
  static void name(float *y, const float *x, size_t n) {   \
    BNN_EACH for (size_t i = 0; i < n; i++) {              \
      const float v = x[i];                                \
      y[i] = (expression);                                 \
    }                                                      \
  }

EACH(absolute, fabsf(v))
EACH(negate, -v)
EACH(sign, (float)((bnn_flush(v) > 0) - (bnn_flush(v) < 0)))
EACH(round_half_even, round_even(v))
EACH(round_down, floorf(v))
EACH(round_up, ceilf(v))
EACH(square_root, sqrtf(v))
EACH(reciprocal_root, 1.0f / sqrtf(v))
EACH(exponential, bnn_exp(v))
EACH(logarithm, logf(v))
EACH(hyperbolic_tangent, tanhf(v))
EACH(sigmoid, 1.0f / (1.0f + bnn_exp(-v)))
EACH(elu, v < 0 ? expm1f(v) : v)
EACH(softplus, fmaxf(v, 0.0f) + log1pf(expf(-fabsf(v)))) /* log(1 + e^v) without overflow */
EACH(square, v * v)
EACH(error_function, erff(v))

static void (*const functions[])(float *y, const float *x, size_t n) = {
    [BNN_ABS] = absolute,  [BNN_NEG] = negate,          [BNN_SIGN] = sign,       [BNN_ROUND] = round_half_even,
    [BNN_FLOOR] = round_down, [BNN_CEIL] = round_up,    [BNN_SQRT] = square_root, [BNN_RSQRT] = reciprocal_root,
    [BNN_EXP] = exponential, [BNN_LOG] = logarithm,     [BNN_TANH] = hyperbolic_tangent, [BNN_SIGMOID] = sigmoid,
    [BNN_ELU] = elu,       [BNN_SOFTPLUS] = softplus,   [BNN_SQUARE] = square,   [BNN_ERF] = error_function,
};

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_unary_params *params = call->params;
  if (params->kind >= sizeof functions / sizeof *functions || functions[params->kind] == NULL) {
    return bnn_broken(call, error, "kind: there is no function %u", (unsigned)params->kind);
  }
  return bnn_check_elements(call, error);
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_unary_params *params = call->params;
  const float *x = call->inputs[0]->data;
  functions[params->kind]((float *)call->output->data + begin, x + begin, end - begin);
}

const struct bnn_op bnn_op_unary = {check, bnn_plan_elements, run};
