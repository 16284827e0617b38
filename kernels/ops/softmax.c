/* SPDX-License-Identifier: Apache-2.0 */
#include "base/exp.h"
#include "ops/codes.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  if (bnn_is_coded(call->output))
    BNN_TRY(bnn_rule_codes(call, 1, error));
  else
    BNN_TRY(bnn_rule_floats(call, 1, error));
  return bnn_rule_same_shape(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  bnn_plan_pixels(call, plan, bnn_value_channels(call->output));
  plan->local = true;
  plan->in_place = 1;
  if (!bnn_is_coded(call->output)) return BNN_E_OK;
  /* The exponential of every distance to the largest code. */
  const struct bnn_softmax_params *params = call->params;
  float *powers = plan->state = bnn_plan_keep(plan, 256 * sizeof *powers);
  if (powers == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  for (int i = 0; i < 256; i++) powers[i] = expf(-call->inputs[0]->scale * params->beta * (float)i);
  return BNN_E_OK;
}

static void run_codes(const struct bnn_call *call, const float *powers, size_t begin, size_t end) {
  const struct bnn_value *output = call->output;
  size_t channels = bnn_value_channels(output);
  for (size_t pixel = begin; pixel < end; pixel++) {
    const int8_t *x = (const int8_t *)call->inputs[0]->data + pixel * channels;
    int8_t *y = (int8_t *)output->data + pixel * channels, top = x[0];
    float sum = 0.0f;
    for (size_t c = 1; c < channels; c++) top = x[c] > top ? x[c] : top;
    for (size_t c = 0; c < channels; c++) sum += powers[top - x[c]];
    const float share = 1.0f / (sum * output->scale);
    for (size_t c = 0; c < channels; c++) {
      const float steps = powers[top - x[c]] * share + 0.5f;
      y[c] = bnn_code((int32_t)(steps < 1024.0f ? steps : 1024.0f), output->zero_point, INT8_MIN, INT8_MAX);
    }
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  if (bnn_is_coded(call->output)) {
    run_codes(call, plan->state, begin, end);
    return;
  }
  const struct bnn_softmax_params *params = call->params;
  size_t channels = bnn_value_channels(call->output);
  for (size_t pixel = begin; pixel < end; pixel++) {
    const float *x = (const float *)call->inputs[0]->data + pixel * channels;
    float *y = (float *)call->output->data + pixel * channels;
    float top = x[0], sum = 0.0f;
    for (size_t c = 1; c < channels; c++) top = x[c] > top ? x[c] : top;
    BNN_EACH
    for (size_t c = 0; c < channels; c++) y[c] = bnn_exp((x[c] - top) * params->beta); /* at most 1 */
    for (size_t c = 0; c < channels; c++) sum += y[c];
    BNN_EACH
    for (size_t c = 0; c < channels; c++) y[c] /= sum;
  }
}

const struct bnn_op bnn_op_softmax = {check, plan, run};
