/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/loops.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_floats(call, 1, error));
  uint32_t channels = bnn_value_channels(call->inputs[0]);
  if (bnn_input(call, 1) == NULL) return bnn_broken(call, error, "input 1 is absent");
  BNN_TRY(bnn_rule_per_channel(call, 1, BNN_F32, channels, true, error));
  BNN_TRY(bnn_rule_per_channel(call, 2, BNN_F32, channels, true, error));
  return bnn_rule_same_shape(call, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  bnn_plan_pixels(call, plan, bnn_value_channels(call->output));
  plan->local = true;
  plan->in_place = 1;
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_affine_params *params = call->params;
  const struct bnn_value *scales = call->inputs[1], *offsets = bnn_input(call, 2);
  const float none = 0.0f, *scale = scales->data, *offset = offsets ? offsets->data : &none;
  size_t channels = bnn_value_channels(call->output);
  size_t scale_step = scales->shape[0] == channels, offset_step = offsets && offsets->shape[0] == channels;
  for (size_t pixel = begin; pixel < end; pixel++) {
    const float *x = (const float *)call->inputs[0]->data + pixel * channels;
    float *y = (float *)call->output->data + pixel * channels;
    if (scale_step && offset_step) {
      BNN_EACH
      for (size_t c = 0; c < channels; c++) y[c] = x[c] * scale[c] + offset[c];
    } else {
      BNN_EACH
      for (size_t c = 0; c < channels; c++) y[c] = x[c] * scale[c * scale_step] + offset[c * offset_step];
    }
    bnn_clamp_row(y, channels, params->lo, params->hi);
  }
}

const struct bnn_op bnn_op_affine = {check, plan, run};
