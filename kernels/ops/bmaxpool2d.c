/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/taps.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_bmaxpool2d_params *params = call->params;
  BNN_TRY(bnn_rule_input(call, 0, BNN_BITS, error));
  BNN_TRY(bnn_rule_output(call, BNN_BITS, error));
  if (params->any > 1) return bnn_broken(call, error, "any: neither 0 nor 1");
  return bnn_rule_pool(call, &params->window, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_bmaxpool2d_params *params = call->params;
  plan->units = bnn_value_pixels(call->output);
  plan->grain =
      bnn_grain((size_t)bnn_words(bnn_value_channels(call->output)) * params->window.kernel_h * params->window.kernel_w);
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_bmaxpool2d_params *params = call->params;
  const struct bnn_value *input = call->inputs[0];
  size_t words = bnn_words(input->shape[3]), width = call->output->shape[2], height = call->output->shape[1];
  uint32_t tail = input->shape[3] % 32, used = tail ? ~(~0u << tail) : ~0u; /* of the last word */
  for (size_t at = begin; at < end; at++) {
    struct bnn_pool_pixel pixel =
        bnn_pool_pixel(&params->window, input, (uint32_t)(at / width % height), (uint32_t)(at % width));
    uint32_t *y = (uint32_t *)call->output->data + at * words;
    for (size_t w = 0; w < words; w++) y[w] = params->any ? 0 : ~0u;
    y[words - 1] &= used;
    for (uint32_t i = pixel.rows.first; i < pixel.rows.last; i++) {
      for (uint32_t j = pixel.columns.first; j < pixel.columns.last; j++) {
        const uint32_t *x = (const uint32_t *)input->data +
                            bnn_tap_pixel(&params->window, input, &pixel, at / (width * height), i, j) * words;
        if (params->any) {
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
