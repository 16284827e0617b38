/* SPDX-License-Identifier: Apache-2.0 */
/* One bit filter a channel. A word holds 32 channels, so a tap's x ^ w is counted for all of them at once: counter k is
 * word k of a stack of words, bit c of which is bit k of channel c's popcount, and adding a word to the stack is the
 * ripple carry of a binary counter ("vertical counters", Warren, Hacker's Delight). */
#include "ops/loops.h"
#include "ops/taps.h"

enum { X, FILTER, MULTIPLIER, BIAS, THRESHOLD, CLAMP_LO, CLAMP_HI };
enum { MAX_COUNTERS = 12 }; /* 4095 taps */

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_bdepthwise2d_params *params = call->params;
  BNN_TRY(bnn_rule_input(call, X, BNN_BITS, error));
  BNN_TRY(bnn_rule_constant(call, FILTER, BNN_BITS, error));
  BNN_TRY(bnn_rule_images(call, error));
  const struct bnn_value *x = call->inputs[X], *filter = call->inputs[FILTER];
  uint32_t height, width, channels = x->shape[3];
  BNN_TRY(bnn_rule_window(call, &params->window, x->shape[1], x->shape[2], &height, &width, error));
  const uint32_t shape[4] = {x->shape[0], height, width, channels};
  BNN_TRY(bnn_rule_shape(call, shape, 4, error));
  const struct bnn_window *window = &params->window;
  if (filter->rank != 4 || filter->shape[0] != 1 || filter->shape[1] != window->kernel_h ||
      filter->shape[2] != window->kernel_w || filter->shape[3] != channels) {
    return bnn_broken(call, error, "the filter is not [1, kernel_h, kernel_w, channels]");
  }
  if ((uint64_t)window->kernel_h * window->kernel_w >= 1u << MAX_COUNTERS) return bnn_broken(call, error, "too many taps");
  if (params->border > BNN_BORDER_ZERO) return bnn_broken(call, error, "border: unknown");
  BNN_TRY(bnn_rule_per_channel(call, MULTIPLIER, BNN_F32, channels, false, error));
  BNN_TRY(bnn_rule_per_channel(call, BIAS, BNN_F32, channels, false, error));
  BNN_TRY(bnn_rule_per_channel(call, THRESHOLD, BNN_I32, channels, false, error));
  BNN_TRY(bnn_rule_per_channel(call, CLAMP_LO, BNN_I32, channels, false, error));
  BNN_TRY(bnn_rule_per_channel(call, CLAMP_HI, BNN_I32, channels, false, error));
  if (bnn_input(call, THRESHOLD) == NULL) return bnn_rule_output(call, BNN_F32, error);
  for (uint32_t i = MULTIPLIER; i <= CLAMP_HI; i++) {
    if (i != THRESHOLD && bnn_input(call, i)) return bnn_broken(call, error, "input %u does not go with a threshold", (unsigned)i);
  }
  return bnn_rule_output(call, BNN_BITS, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_bdepthwise2d_params *params = call->params;
  plan->units = bnn_value_pixels(call->output);
  plan->grain = bnn_grain(bnn_value_channels(call->output) +
                          (size_t)bnn_words(bnn_value_channels(call->output)) * params->window.kernel_h * params->window.kernel_w);
  return BNN_E_OK;
}

/* The popcounts of 32 channels at one pixel, as counters; returns how many counters are in use. */
static uint32_t count(const struct bnn_call *call, const struct bnn_pool_pixel *pixel, size_t image, size_t word,
                      uint32_t counters[MAX_COUNTERS]) {
  const struct bnn_bdepthwise2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[X];
  const uint32_t *filter = call->inputs[FILTER]->data;
  size_t words = bnn_words(x->shape[3]);
  uint32_t used = 0;
  for (uint32_t i = 0; i < params->window.kernel_h; i++) {
    for (uint32_t j = 0; j < params->window.kernel_w; j++) {
      uint32_t bits = filter[((size_t)i * params->window.kernel_w + j) * words + word];
      bool inside = i >= pixel->rows.first && i < pixel->rows.last && j >= pixel->columns.first && j < pixel->columns.last;
      if (inside) {
        bits ^= ((const uint32_t *)x->data)[bnn_tap_pixel(&params->window, x, pixel, image, i, j) * words + word];
      } else if (params->border == BNN_BORDER_ZERO) {
        continue;
      }
      for (uint32_t k = 0; bits; k++) {
        if (k == used) counters[used++] = 0;
        uint32_t carry = counters[k] & bits;
        counters[k] ^= bits;
        bits = carry;
      }
    }
  }
  return used;
}

static const void *data_of(const struct bnn_call *call, uint32_t index) {
  const struct bnn_value *value = bnn_input(call, index);
  return value ? value->data : NULL;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_bdepthwise2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[X], *y = call->output;
  uint32_t channels = x->shape[3], taps = params->window.kernel_h * params->window.kernel_w;
  size_t words = bnn_words(channels), height = y->shape[1], width = y->shape[2];
  const float *multiplier = data_of(call, MULTIPLIER), *bias = data_of(call, BIAS);
  const int32_t *threshold = data_of(call, THRESHOLD), *low = data_of(call, CLAMP_LO), *high = data_of(call, CLAMP_HI);
  for (size_t at = begin; at < end; at++) {
    struct bnn_pool_pixel pixel =
        bnn_pool_pixel(&params->window, x, (uint32_t)(at / width % height), (uint32_t)(at % width));
    uint32_t inside = (pixel.rows.last - pixel.rows.first) * (pixel.columns.last - pixel.columns.first);
    int32_t most = (int32_t)(params->border == BNN_BORDER_ZERO ? inside : taps);
    for (size_t w = 0; w < words; w++) {
      uint32_t counters[MAX_COUNTERS], used = count(call, &pixel, at / (width * height), w, counters);
      uint32_t first = (uint32_t)w * 32, here = channels - first < 32 ? channels - first : 32;
      int32_t acc[32];
      for (uint32_t c = 0; c < 32; c++) acc[c] = most;
      for (uint32_t k = 0; k < used; k++) {
        for (uint32_t c = 0; c < 32; c++) acc[c] -= (int32_t)((counters[k] >> c & 1) << (k + 1));
      }
      if (threshold) {
        uint32_t bits = 0;
        for (uint32_t c = 0; c < here; c++) bits |= (uint32_t)(acc[c] < threshold[first + c]) << c;
        ((uint32_t *)y->data)[at * words + w] = bits;
        continue;
      }
      float *out = (float *)y->data + at * channels + first;
      for (uint32_t c = 0; c < here; c++) {
        int32_t sum = acc[c];
        if (low && sum < low[first + c]) sum = low[first + c];
        if (high && sum > high[first + c]) sum = high[first + c];
        out[c] = (float)sum * (multiplier ? multiplier[first + c] : 1.0f) + (bias ? bias[first + c] : 0.0f);
      }
      bnn_clamp_row(out, here, params->lo, params->hi);
    }
  }
}

const struct bnn_op bnn_op_bdepthwise2d = {check, plan, run};
