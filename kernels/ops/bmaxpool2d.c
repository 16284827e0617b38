/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/loops.h"
#include "ops/taps.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_bmaxpool2d_params *params = call->params;
  BNN_TRY(bnn_rule_bits(call, call->output, "the output", error));
  BNN_TRY(bnn_rule_moved(call, error));
  if (params->any > 1) return bnn_broken(call, error, "any: neither 0 nor 1");
  return bnn_rule_pool(call, &params->window, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_bmaxpool2d_params *params = call->params;
  bnn_plan_pixels(call, plan, bnn_value_pixel_bytes(call->output) / 4 * params->window.kernel_h * params->window.kernel_w);
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_bmaxpool2d_params *params = call->params;
  const struct bnn_value *input = call->inputs[0];
  size_t words = bnn_value_pixel_bytes(input) / sizeof(uint32_t);
  size_t width = call->output->shape[2], height = call->output->shape[1];
  for (size_t pixel = begin; pixel < end; pixel++) {
    struct bnn_window_at at =
        bnn_window_at(&params->window, input, (uint32_t)(pixel / width % height), (uint32_t)(pixel % width));
    uint32_t *y = (uint32_t *)call->output->data + pixel * words;
    bool first = true; /* no window is empty, see bnn_rule_pool */
    for (uint32_t i = at.rows.first; i < at.rows.last; i++) {
      for (uint32_t j = at.columns.first; j < at.columns.last; j++, first = false) {
        const uint32_t *x = (const uint32_t *)input->data +
                            bnn_tap_pixel(&params->window, input, &at, pixel / (width * height), i, j) * words;
        if (first) {
          memcpy(y, x, words * sizeof *y);
        } else if (params->any) {
          BNN_EACH
          for (size_t w = 0; w < words; w++) y[w] |= x[w];
        } else {
          BNN_EACH
          for (size_t w = 0; w < words; w++) y[w] &= x[w];
        }
      }
    }
  }
}

const struct bnn_op bnn_op_bmaxpool2d = {check, plan, run};
