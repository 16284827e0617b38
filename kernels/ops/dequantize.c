/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_input(call, 0, BNN_BITS, error));
  BNN_TRY(bnn_rule_output(call, BNN_F32, error));
  return bnn_rule_same_shape(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  bnn_plan_pixels(call, plan, bnn_value_channels(call->output));
  plan->local = true;
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_dequantize_params *params = call->params;
  const float zero = params->zero, one = params->one;
  uint32_t channels = bnn_value_channels(call->output), words = bnn_words(channels);
  for (size_t pixel = begin; pixel < end; pixel++) {
    const uint32_t *x = (const uint32_t *)call->inputs[0]->data + pixel * words;
    float *y = (float *)call->output->data + pixel * channels;
    for (uint32_t c = 0; c < channels; c++) y[c] = x[c / 32] >> c % 32 & 1 ? one : zero;
  }
}

const struct bnn_op bnn_op_dequantize = {check, plan, run};
