/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/loops.h"

/* Joined along the channels, bits of every input but the last must fill whole words of the only plane. */
static enum bnn_status check_words(const struct bnn_call *call, struct bnn_error *error) {
  for (uint32_t i = 0; i < call->input_count; i++) {
    uint32_t channels = bnn_value_channels(call->inputs[i]);
    if (call->output->planes == 1 && (channels % 32 == 0 || i + 1 == call->input_count)) continue;
    return bnn_fail(error, BNN_E_UNSUPPORTED, "layer '%.80s' (concat): %u channels of bits do not end on a word",
                    call->name, (unsigned)channels);
  }
  return BNN_E_OK;
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_concat_params *params = call->params;
  BNN_TRY(bnn_rule_moved(call, error));
  const struct bnn_value *first = call->inputs[0];
  if (params->axis >= first->rank) return bnn_broken(call, error, "axis: there is no axis %u", (unsigned)params->axis);
  uint64_t along = 0;
  for (uint32_t i = 0; i < call->input_count; i++) {
    const struct bnn_value *x = call->inputs[i];
    along += x->shape[params->axis];
    for (uint32_t axis = 0; axis < first->rank; axis++) {
      if (x->rank == first->rank && (axis == params->axis || x->shape[axis] == first->shape[axis])) continue;
      return bnn_broken(call, error, "input %u of shape %s does not fit the first one, %s", (unsigned)i,
                        bnn_shape_text(x->shape, x->rank).text, bnn_shape_text(first->shape, first->rank).text);
    }
  }
  if (along > BNN_MAX_ELEMENTS) return bnn_broken(call, error, "axis: absurdly long together");
  if (first->dtype == BNN_BITS && params->axis + 1 == first->rank) BNN_TRY(check_words(call, error));
  uint32_t shape[BNN_MAX_RANK];
  memcpy(shape, first->shape, sizeof shape);
  shape[params->axis] = (uint32_t)along;
  return bnn_rule_shape(call, shape, first->rank, error);
}

/* Bytes of one index of the axes before the joined one: what is copied in one go. */
static size_t chunk_bytes(const struct bnn_value *value, uint32_t axis) {
  size_t outer = 1;
  for (uint32_t i = 0; i < axis; i++) outer *= value->shape[i];
  return value->bytes / outer;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  const struct bnn_concat_params *params = call->params;
  size_t chunk = chunk_bytes(call->output, params->axis);
  plan->units = call->output->bytes / chunk;
  plan->grain = bnn_grain((chunk + 3) / 4);
  return BNN_E_OK;
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)plan, (void)thread;
  const struct bnn_concat_params *params = call->params;
  size_t chunk = chunk_bytes(call->output, params->axis), at = 0;
  for (uint32_t i = 0; i < call->input_count; i++) {
    size_t part = chunk_bytes(call->inputs[i], params->axis);
    for (size_t unit = begin; unit < end; unit++) {
      memcpy((uint8_t *)call->output->data + unit * chunk + at, (const uint8_t *)call->inputs[i]->data + unit * part,
             part);
    }
    at += part;
  }
}

const struct bnn_op bnn_op_concat = {check, plan, run};
