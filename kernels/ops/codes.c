/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/codes.h"

enum bnn_status bnn_rule_same_grid(const struct bnn_call *call, uint32_t index, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[index], *y = call->output;
  if (bnn_is_coded(x) && bnn_is_coded(y) && x->scale == y->scale && x->zero_point == y->zero_point) return BNN_E_OK;
  return bnn_broken(call, error, "input %u and the output are not int8 of one scale and zero point", (unsigned)index);
}

enum bnn_status bnn_rule_numbers(const struct bnn_call *call, struct bnn_error *error) {
  return bnn_is_coded(call->output) ? bnn_rule_same_grid(call, 0, error) : bnn_rule_floats(call, 1, error);
}

enum bnn_status bnn_rule_codes(const struct bnn_call *call, uint32_t count, struct bnn_error *error) {
  for (uint32_t i = 0; i < count; i++) BNN_TRY(bnn_rule_input(call, i, BNN_I8, error));
  return bnn_rule_output(call, BNN_I8, error);
}

enum bnn_status bnn_rule_ratio(const struct bnn_call *call, double real, struct bnn_ratio *ratio, struct bnn_error *error) {
  if (bnn_ratio_of(real, ratio)) return BNN_E_OK;
  return bnn_broken(call, error, "scale: a ratio of %g to the output's is not possible", real);
}

static double layer_ratio(const struct bnn_call *call, uint32_t filter) {
  const float *scales = call->inputs[3]->data;
  return (double)call->inputs[0]->scale * (double)scales[filter] / (double)call->output->scale;
}

enum bnn_status bnn_rule_int8_weights(const struct bnn_call *call, uint64_t taps, uint32_t filters, struct bnn_error *error) {
  BNN_TRY(bnn_rule_codes(call, 1, error));
  BNN_TRY(bnn_rule_constant(call, 1, BNN_I8, error));
  if (bnn_input(call, 3) == NULL) return bnn_broken(call, error, "input 3 is absent: int8 weights need their scales");
  BNN_TRY(bnn_rule_per_channel(call, 2, BNN_I32, filters, false, error));
  BNN_TRY(bnn_rule_per_channel(call, 3, BNN_F32, filters, false, error));
  const int32_t *bias = bnn_input(call, 2) ? call->inputs[2]->data : NULL;
  bool fits = taps <= BNN_INT8_MAX_TAPS;
  for (uint32_t o = 0; o < filters; o++) {
    struct bnn_ratio ratio;
    BNN_TRY(bnn_rule_ratio(call, layer_ratio(call, o), &ratio, error));
    if (bias) fits &= bias[o] >= -BNN_INT8_MAX_BIAS && bias[o] <= BNN_INT8_MAX_BIAS;
  }
  if (fits) return BNN_E_OK;
  return bnn_fail(error, BNN_E_LIMIT, "layer '%.80s' (%s): its sums do not fit 32 bits", call->name, call->row->name);
}

struct bnn_ratio *bnn_layer_ratios(const struct bnn_call *call, struct bnn_plan *plan, uint32_t filters) {
  struct bnn_ratio *ratios = bnn_plan_keep(plan, filters * sizeof *ratios);
  for (uint32_t o = 0; ratios && o < filters; o++) bnn_ratio_of(layer_ratio(call, o), &ratios[o]);
  return ratios;
}
