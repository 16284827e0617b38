/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_floats(call, 1, error));
  return bnn_rule_same_shape(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  plan->units = bnn_value_pixels(call->output);
  plan->grain = bnn_grain(bnn_value_channels(call->output));
  plan->in_place = 1;
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_softmax_params *params = call->params;
  size_t channels = bnn_value_channels(call->output);
  for (size_t pixel = begin; pixel < end; pixel++) {
    const float *x = (const float *)call->inputs[0]->data + pixel * channels;
    float *y = (float *)call->output->data + pixel * channels;
    float top = x[0], sum = 0.0f;
    for (size_t c = 1; c < channels; c++) top = x[c] > top ? x[c] : top;
    for (size_t c = 0; c < channels; c++) { /* the largest exponent is 0: nothing overflows */
      y[c] = expf((x[c] - top) * params->beta);
      sum += y[c];
    }
    BNN_EACH
    for (size_t c = 0; c < channels; c++) y[c] /= sum;
  }
}

const struct bnn_op bnn_op_softmax = {check, plan, run};
