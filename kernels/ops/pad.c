/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/codes.h"

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_pad_params *params = call->params;
  BNN_TRY(bnn_rule_numbers(call, error));
  const struct bnn_value *x = call->inputs[0];
  uint32_t shape[BNN_MAX_RANK];
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    uint64_t size = (uint64_t)params->before[axis] + x->shape[axis] + params->after[axis];
    if (size > BNN_MAX_ELEMENTS) return bnn_broken(call, error, "before, after: absurd along axis %u", (unsigned)axis);
    shape[axis] = (uint32_t)size;
  }
  return bnn_rule_shape(call, shape, x->rank, error);
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  bnn_plan_pixels(call, plan, bnn_value_channels(call->output));
  return BNN_E_OK;
}

/* The row of the input that row `row` of the output copies; false where it lies in the padding. */
static bool source_row(const struct bnn_call *call, size_t row, size_t *source) {
  const struct bnn_pad_params *params = call->params;
  const struct bnn_value *x = call->inputs[0];
  size_t stride = 1;
  *source = 0;
  for (uint32_t axis = x->rank > 0 ? x->rank - 1 : 0; axis-- > 0;) {
    size_t index = row % call->output->shape[axis];
    row /= call->output->shape[axis];
    if (index < params->before[axis] || index - params->before[axis] >= x->shape[axis]) return false;
    *source += (index - params->before[axis]) * stride;
    stride *= x->shape[axis];
  }
  return true;
}

/* n elements of the padding, behind one another. */
static void fill(const struct bnn_call *call, uint8_t *to, size_t n) {
  const struct bnn_pad_params *params = call->params;
  const struct bnn_value *y = call->output;
  if (bnn_is_coded(y)) {
    memset(to, (uint8_t)bnn_encode(params->value, y->scale, y->zero_point), n);
    return;
  }
  float *floats = (float *)(void *)to;
  for (size_t i = 0; i < n; i++) floats[i] = params->value;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_pad_params *params = call->params;
  const struct bnn_value *x = call->inputs[0];
  size_t out = bnn_value_channels(call->output), in = bnn_value_channels(x);
  size_t before = x->rank > 0 ? params->before[x->rank - 1] : 0, bytes = bnn_is_coded(x) ? 1 : sizeof(float);
  for (size_t row = begin; row < end; row++) {
    uint8_t *y = (uint8_t *)call->output->data + row * out * bytes;
    size_t source;
    if (!source_row(call, row, &source)) {
      fill(call, y, out);
      continue;
    }
    fill(call, y, before);
    memcpy(y + before * bytes, (const uint8_t *)x->data + source * in * bytes, in * bytes);
    fill(call, y + (before + in) * bytes, out - before - in);
  }
}

const struct bnn_op bnn_op_pad = {check, plan, run};
