/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/codes.h"
#include "ops/taps.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_avg_pool2d_params *params = call->params;
  BNN_TRY(bnn_rule_numbers(call, error));
  if (bnn_is_coded(call->output)) {
    if (params->sum || params->count_pads) return bnn_broken(call, error, "int8 has means of the image alone");
    if ((uint64_t)params->window.kernel_h * params->window.kernel_w > BNN_CODE_TAPS)
      return bnn_broken(call, error, "the sums of its window do not fit 32 bits");
  }
  if (params->sum > 1) return bnn_broken(call, error, "sum is neither 0 nor 1");
  return bnn_rule_pool(call, &params->window, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_avg_pool2d_params *params = call->params;
  bnn_plan_pixels(call, plan, (size_t)bnn_value_channels(call->output) * params->window.kernel_h * params->window.kernel_w);
  return BNN_E_OK;
}

/* The mean of the codes of at most BNN_CODE_BLOCK channels from `first` on; halves go away from zero. */
static void mean_of_codes(const struct bnn_call *call, size_t pixel, const struct bnn_window_at *at, size_t first, size_t n) {
  const struct bnn_avg_pool2d_params *params = call->params;
  const struct bnn_value *input = call->inputs[0];
  const size_t channels = input->shape[3], image = pixel / ((size_t)call->output->shape[1] * call->output->shape[2]);
  int32_t sum[BNN_CODE_BLOCK] = {0};
  for (uint32_t i = at->rows.first; i < at->rows.last; i++) {
    for (uint32_t j = at->columns.first; j < at->columns.last; j++) {
      const int8_t *x =
          (const int8_t *)input->data + bnn_tap_pixel(&params->window, input, at, image, i, j) * channels + first;
      for (size_t c = 0; c < n; c++) sum[c] += x[c];
    }
  }
  const int32_t taps = (int32_t)((at->rows.last - at->rows.first) * (at->columns.last - at->columns.first));
  int8_t *y = (int8_t *)call->output->data + pixel * channels + first;
  for (size_t c = 0; c < n; c++) y[c] = (int8_t)((sum[c] + (sum[c] < 0 ? -(taps / 2) : taps / 2)) / taps);
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
    if (bnn_is_coded(input)) {
      for (size_t c = 0; c < channels; c += BNN_CODE_BLOCK)
        mean_of_codes(call, pixel, &at, c, channels - c < BNN_CODE_BLOCK ? channels - c : BNN_CODE_BLOCK);
      continue;
    }
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
