/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"
#include "ops/planes.h"
#include "ops/taps.h"

/* A word holds 32 channels, and a tap's x ^ w is counted for all of them at once: bit c of slice s is bit s of channel
 * c's count, and adding a word to the slices is the ripple carry of a binary counter ("vertical counters", Warren,
 * Hacker's Delight). */
#define MAX_SLICES 25u /* a window has at most 4096 x 4096 taps */

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_bdepthwise2d_params *params = call->params;
  BNN_TRY(bnn_rule_input(call, 0, BNN_BITS, error));
  BNN_TRY(bnn_rule_constant(call, 1, BNN_BITS, error));
  BNN_TRY(bnn_rule_images(call, error));
  const struct bnn_value *x = call->inputs[0], *filter = call->inputs[1];
  uint32_t shape[4] = {x->shape[0], 0, 0, x->shape[3]};
  BNN_TRY(bnn_rule_window(call, &params->window, x->shape[1], x->shape[2], &shape[1], &shape[2], error));
  if (filter->rank != 4 || filter->shape[0] != 1 || filter->shape[1] != params->window.kernel_h ||
      filter->shape[2] != params->window.kernel_w || filter->shape[3] != x->shape[3]) {
    return bnn_broken(call, error, "a filter of %s does not fit its window and %u channels",
                      bnn_shape_text(filter->shape, filter->rank).text, (unsigned)x->shape[3]);
  }
  if (params->border > BNN_BORDER_ZERO) return bnn_broken(call, error, "border: unknown");
  BNN_TRY(bnn_rule_shape(call, shape, 4, error));
  return bnn_rule_output_stage(call, BNN_CODE_BINARY, false, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_bdepthwise2d_params *params = call->params;
  uint32_t channels = call->output->shape[3];
  bnn_plan_pixels(call, plan, (size_t)channels + (size_t)bnn_words(channels) * params->window.kernel_h * params->window.kernel_w);
  plan->scratch_bytes = (size_t)bnn_words(channels) * 32 * sizeof(int32_t);
  return BNN_E_OK;
}

/* The sums of channels [32 * word, 32 * word + 32) at one place. */
static void sum_word(const struct bnn_call *call, const struct bnn_window_at *at, size_t image, uint32_t word,
                     int32_t *acc) {
  const struct bnn_bdepthwise2d_params *params = call->params;
  const struct bnn_window *window = &params->window;
  const struct bnn_value *input = call->inputs[0];
  uint32_t words = bnn_words(input->shape[3]), slices[MAX_SLICES + 1] = {0}, used = 0;
  int32_t taps = 0;
  for (uint32_t i = 0; i < window->kernel_h; i++) {
    for (uint32_t j = 0; j < window->kernel_w; j++) {
      bool inside = bnn_tap_is_inside(at, i, j);
      if (!inside && params->border == BNN_BORDER_ZERO) continue;
      uint32_t carry = ((const uint32_t *)call->inputs[1]->data)[((size_t)i * window->kernel_w + j) * words + word];
      if (inside)
        carry ^= ((const uint32_t *)input->data)[bnn_tap_pixel(window, input, at, image, i, j) * words + word];
      taps++;
      for (uint32_t s = 0; carry; s++) {
        uint32_t overflow = slices[s] & carry;
        slices[s] ^= carry;
        carry = overflow;
        used = s + 1 > used ? s + 1 : used;
      }
    }
  }
  for (uint32_t c = 0; c < 32; c++) acc[c] = taps;
  for (uint32_t s = 0; s < used; s++) {
    for (uint32_t c = 0; c < 32; c++) acc[c] -= (int32_t)((slices[s] >> c & 1) << (s + 1));
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct bnn_bdepthwise2d_params *params = call->params;
  const struct bnn_value *output = call->output;
  const struct bnn_output_stage stage = bnn_output_stage(call, BNN_CODE_BINARY, params->lo, params->hi);
  size_t height = output->shape[1], width = output->shape[2];
  int32_t *acc = bnn_plan_scratch(plan, thread);
  for (size_t pixel = begin; pixel < end; pixel++) {
    struct bnn_window_at at =
        bnn_window_at(&params->window, call->inputs[0], (uint32_t)(pixel / width % height), (uint32_t)(pixel % width));
    for (uint32_t word = 0; word < bnn_words(stage.channels); word++) {
      sum_word(call, &at, pixel / (width * height), word, acc + (size_t)word * 32);
    }
    bnn_output_pixel(&stage, acc, output, pixel);
  }
}

const struct bnn_op bnn_op_bdepthwise2d = {check, plan, run};
