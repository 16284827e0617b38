/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/taps.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_avg_pool2d_params *params = call->params;
  BNN_TRY(bnn_rule_floats(call, 1, error));
  if (params->sum > 1) return bnn_broken(call, error, "sum is neither 0 nor 1");
  return bnn_rule_pool(call, &params->window, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_avg_pool2d_params *params = call->params;
  plan->units = bnn_value_pixels(call->output);
  plan->grain = bnn_grain((size_t)bnn_value_channels(call->output) * params->window.kernel_h * params->window.kernel_w);
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_avg_pool2d_params *params = call->params;
  const struct bnn_window *window = &params->window;
  const struct bnn_value *input = call->inputs[0];
  size_t channels = input->shape[3], width = call->output->shape[2], height = call->output->shape[1];
  for (size_t pixel = begin; pixel < end; pixel++) {
    struct bnn_window_at at =
        bnn_window_at(window, input, (uint32_t)(pixel / width % height), (uint32_t)(pixel % width));
    float *y = (float *)call->output->data + pixel * channels;
    for (size_t c = 0; c < channels; c++) y[c] = 0.0f;
    for (uint32_t i = at.rows.first; i < at.rows.last; i++) {
      for (uint32_t j = at.columns.first; j < at.columns.last; j++) {
        const float *x =
            (const float *)input->data + bnn_tap_pixel(window, input, &at, pixel / (width * height), i, j) * channels;
        BNN_EACH
        for (size_t c = 0; c < channels; c++) y[c] += x[c];
      }
    }
    if (params->sum) continue;
    uint32_t inside = (at.rows.last - at.rows.first) * (at.columns.last - at.columns.first);
    float taps = (float)(params->count_pads ? window->kernel_h * window->kernel_w : inside);
    BNN_EACH
    for (size_t c = 0; c < channels; c++) y[c] /= taps;
  }
}

const struct bnn_op bnn_op_avg_pool2d = {check, plan, run};
