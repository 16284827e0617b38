/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

/* Output pixel o receives x(i) * filter(k) for every i, k with i * stride - pad + k * dilation = o. Each output pixel
 * gathers what belongs to it, so that pixels are independent. */

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_conv2d_transpose_params *params = call->params;
  BNN_TRY(bnn_rule_floats(call, 1, error));
  BNN_TRY(bnn_rule_constant(call, 1, BNN_F32, error));
  BNN_TRY(bnn_rule_images(call, error));
  const struct bnn_value *x = call->inputs[0], *filter = call->inputs[1], *y = call->output;
  uint32_t groups = params->groups, height, width;
  if (filter->rank != 4 || groups == 0 || x->shape[3] % groups || filter->shape[0] % groups ||
      filter->shape[3] != x->shape[3] / groups || filter->shape[1] != params->window.kernel_h ||
      filter->shape[2] != params->window.kernel_w) {
    return bnn_broken(call, error, "a filter of %s in %u groups does not fit its window and %u channels",
                      bnn_shape_text(filter->shape, filter->rank).text, (unsigned)groups, (unsigned)x->shape[3]);
  }
  BNN_TRY(bnn_rule_per_channel(call, 2, BNN_F32, filter->shape[0], false, error));
  BNN_TRY(bnn_rule_window(call, &params->window, y->shape[1], y->shape[2], &height, &width, error));
  if (height != x->shape[1] || width != x->shape[2] || y->shape[0] != x->shape[0] || y->shape[3] != filter->shape[0]) {
    return bnn_broken(call, error, "an output of %s does not come from an input of %s",
                      bnn_shape_text(y->shape, 4).text, bnn_shape_text(x->shape, 4).text);
  }
  return BNN_E_OK;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  plan->units = bnn_value_pixels(call->output);
  plan->grain = bnn_grain_macs(bnn_convolution_macs(call), 1, plan->units);
  return BNN_E_OK;
}

/* The input index that tap k of output index `out` reads; false where there is none. */
static bool source(uint32_t out, uint32_t k, uint32_t stride, uint32_t dilation, uint32_t pad, uint32_t size,
                   uint32_t *in) {
  int64_t position = (int64_t)out + pad - (int64_t)k * dilation;
  if (position < 0 || position % stride || position / stride >= size) return false;
  *in = (uint32_t)(position / stride);
  return true;
}

static void add_tap(const struct bnn_call *call, uint32_t groups, const float *x, const float *taps,
                    size_t filter_elements, float *y) {
  uint32_t per_in = call->inputs[1]->shape[3], per_out = call->output->shape[3] / groups;
  for (uint32_t o = 0; o < call->output->shape[3]; o++) {
    const float *from = x + (size_t)(o / per_out) * per_in, *weight = taps + o * filter_elements;
    float sum = 0.0f;
    for (uint32_t c = 0; c < per_in; c++) sum += from[c] * weight[c];
    y[o] += sum;
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_conv2d_transpose_params *params = call->params;
  const struct bnn_window *window = &params->window;
  const struct bnn_value *input = call->inputs[0], *filter = call->inputs[1], *bias = bnn_input(call, 2);
  size_t height = call->output->shape[1], width = call->output->shape[2], filters = call->output->shape[3];
  size_t channels = input->shape[3], tap_elements = filter->shape[3];
  size_t filter_elements = tap_elements * window->kernel_h * window->kernel_w;
  for (size_t at = begin; at < end; at++) {
    size_t image = at / (height * width);
    uint32_t out_y = (uint32_t)(at / width % height), out_x = (uint32_t)(at % width), in_y, in_x;
    float *y = (float *)call->output->data + at * filters;
    for (size_t o = 0; o < filters; o++) y[o] = 0.0f;
    for (uint32_t i = 0; i < window->kernel_h; i++) {
      if (!source(out_y, i, window->stride_h, window->dilation_h, window->pad_top, input->shape[1], &in_y)) continue;
      for (uint32_t j = 0; j < window->kernel_w; j++) {
        if (!source(out_x, j, window->stride_w, window->dilation_w, window->pad_left, input->shape[2], &in_x)) continue;
        const float *x =
            (const float *)input->data + ((image * input->shape[1] + in_y) * input->shape[2] + in_x) * channels;
        const float *taps = (const float *)filter->data + ((size_t)i * window->kernel_w + j) * tap_elements;
        add_tap(call, params->groups, x, taps, filter_elements, y);
      }
    }
    for (size_t o = 0; o < filters; o++) {
      y[o] = bnn_clampf(bias ? y[o] + ((const float *)bias->data)[o] : y[o], params->lo, params->hi);
    }
  }
}

const struct bnn_op bnn_op_conv2d_transpose = {check, plan, run};
