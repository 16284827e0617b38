/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/codes.h"
#include "ops/taps.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_max_pool2d_params *params = call->params;
  BNN_TRY(bnn_rule_numbers(call, error));
  return bnn_rule_pool(call, &params->window, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_max_pool2d_params *params = call->params;
  bnn_plan_pixels(call, plan, (size_t)bnn_value_channels(call->output) * params->window.kernel_h * params->window.kernel_w);
  return BNN_E_OK;
}

enum { LANES = 16 }; /* channels whose maxima stay in registers from tap to tap */

/* The largest of a window's taps inside the image, for `channels` channels at most LANES of them. `x` is the first of those
 * taps; NaN is larger than nothing. */
#define LARGEST(name, type, lowest)                                                                                    \
  static inline void name(type *y, const type *x, const struct bnn_window_at *at, size_t row_step, size_t column_step, \
                          size_t channels) {                                                                           \
    type most[LANES];                                                                                                  \
    for (size_t c = 0; c < channels; c++) most[c] = lowest;                                                            \
    for (uint32_t i = at->rows.first; i < at->rows.last; i++, x += row_step) {                                         \
      const type *tap = x;                                                                                             \
      for (uint32_t j = at->columns.first; j < at->columns.last; j++, tap += column_step)                              \
        for (size_t c = 0; c < channels; c++) most[c] = tap[c] > most[c] ? tap[c] : most[c];                           \
    }                                                                                                                  \
    for (size_t c = 0; c < channels; c++) y[c] = most[c];                                                              \
  }                                                                                                                    \
  static void name##_of_all(type *y, const type *x, const struct bnn_window_at *at, size_t row_step,                   \
                            size_t column_step, size_t channels) {                                                     \
    size_t c = 0;                                                                                                      \
    for (; c + LANES <= channels; c += LANES) name(y + c, x + c, at, row_step, column_step, LANES);                    \
    if (c < channels) name(y + c, x + c, at, row_step, column_step, channels - c);                                     \
  }

LARGEST(largest_float, float, -INFINITY)
LARGEST(largest_code, int8_t, INT8_MIN)

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_max_pool2d_params *params = call->params;
  const struct bnn_window *window = &params->window;
  const struct bnn_value *input = call->inputs[0];
  const size_t channels = input->shape[3], width = call->output->shape[2], height = call->output->shape[1];
  const size_t column_step = window->dilation_w * channels, row_step = window->dilation_h * input->shape[2] * channels;
  for (size_t pixel = begin; pixel < end; pixel++) {
    struct bnn_window_at at = bnn_window_at(window, input, (uint32_t)(pixel / width % height), (uint32_t)(pixel % width));
    const size_t image = pixel / (width * height), to = pixel * channels;
    const size_t from = bnn_tap_pixel(window, input, &at, image, at.rows.first, at.columns.first) * channels;
    if (bnn_is_coded(input))
      largest_code_of_all((int8_t *)call->output->data + to, (const int8_t *)input->data + from, &at, row_step, column_step,
                          channels);
    else
      largest_float_of_all((float *)call->output->data + to, (const float *)input->data + from, &at, row_step, column_step,
                           channels);
  }
}

const struct bnn_op bnn_op_max_pool2d = {check, plan, run};
