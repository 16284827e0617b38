/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of validation: tensors, nodes and how they hang together. */
#include "runtime/graph.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "ops/rules.h"

#define MAX_PLANES 8u

/* NULL where the offset is outside: the section ends with a zero, so every offset within it is a string. */
static const char *string_at(const struct bnn_model *model, uint32_t offset) {
  if (offset >= model->header->strings_bytes) return NULL;
  return (const char *)model->data + model->header->strings_offset + offset;
}

/* The kernels count on zero bits behind the last channel: they make the xor of two tails zero. */
static bool tails_are_zero(const struct bnn_value *value) {
  uint32_t channels = bnn_value_channels(value), words = bnn_words(channels);
  if (channels % 32 == 0) return true;
  uint32_t unused = ~0u << channels % 32;
  size_t rows = bnn_value_pixels(value) * value->planes;
  const uint32_t *last = (const uint32_t *)value->data + words - 1;
  for (size_t row = 0; row < rows; row++) {
    if (last[row * words] & unused) return false;
  }
  return true;
}

/* What is wrong with a tensor's fields, apart from where its data lie; NULL where nothing is. */
static const char *fault_of(const struct bnn_tensor *raw) {
  if (raw->dtype < BNN_F32 || raw->dtype > BNN_BITS) return "dtype: unknown";
  if (raw->rank > BNN_MAX_RANK) return "rank: above 6";
  if (raw->planes < 1 || raw->planes > MAX_PLANES) return "planes: not 1 to 8";
  if (raw->planes != 1 && raw->dtype != BNN_BITS) return "planes: only bits have several";
  if (raw->dtype == BNN_BITS && raw->rank == 0) return "rank: bits need an axis to lie along";
  if (raw->dtype == BNN_I8 && !(raw->scale >= FLT_MIN && raw->scale <= FLT_MAX)) return "scale: not a positive number";
  if (raw->dtype == BNN_I8 && (raw->zero_point < INT8_MIN || raw->zero_point > INT8_MAX)) return "zero_point: not a code";
  if (raw->constant > 1) return "constant: neither 0 nor 1";
  if (!raw->constant && (raw->data_offset || raw->data_bytes)) return "data_offset: only constants have data";
  for (uint32_t axis = raw->rank; axis < BNN_MAX_RANK; axis++)
    if (raw->shape[axis] != 1) return "shape: an unused axis is not 1";
  return NULL;
}

static enum bnn_status read_data(const struct bnn_model *model, const struct bnn_tensor *raw, struct bnn_value *value,
                                 struct bnn_error *error) {
  const struct bnn_header *header = model->header;
  const char *name = value->name;
  uint64_t first = header->data_offset, last = first + header->data_bytes;
  if (raw->data_bytes != value->bytes) {
    return bnn_fail(error, BNN_E_MALFORMED, "tensor '%.80s': data_bytes: %" PRIu64 ", its shape needs %zu", name,
                    raw->data_bytes, value->bytes);
  }
  if (raw->data_offset % BNN_ALIGN || raw->data_offset < first || raw->data_offset > last ||
      raw->data_bytes > last - raw->data_offset) {
    return bnn_fail(error, BNN_E_MALFORMED,
                    "tensor '%.80s': data_offset: %" PRIu64 " is not an aligned place in the data", name,
                    raw->data_offset);
  }
  value->data = (void *)(uintptr_t)(model->data + raw->data_offset); /* never written: `constant` says so */
  if (value->dtype == BNN_BITS && !tails_are_zero(value)) {
    return bnn_fail(error, BNN_E_MALFORMED, "tensor '%.80s': data: bits behind the last channel are not zero", name);
  }
  return BNN_E_OK;
}

static enum bnn_status read_tensor(const struct bnn_model *model, uint32_t i, struct bnn_error *error) {
  const struct bnn_tensor *raw = (const struct bnn_tensor *)(model->data + model->header->tensors_offset) + i;
  const char *name = string_at(model, raw->name);
  if (name == NULL) return bnn_fail(error, BNN_E_MALFORMED, "tensor %" PRIu32 ": name: outside the strings", i);
  const char *broken = fault_of(raw);
  if (broken) return bnn_fail(error, BNN_E_MALFORMED, "tensor '%.80s': %s", name, broken);

  struct bnn_value *value = &model->values[i];
  *value = (struct bnn_value){
      .name = name,
      .dtype = (enum bnn_dtype)raw->dtype,
      .rank = raw->rank,
      .planes = raw->planes,
      .scale = raw->scale,
      .zero_point = raw->zero_point,
      .constant = raw->constant,
  };
  memcpy(value->shape, raw->shape, sizeof value->shape);
  if (!bnn_value_measure(value)) {
    bool empty = false;
    for (uint32_t axis = 0; axis < raw->rank; axis++) empty |= raw->shape[axis] == 0;
    return bnn_fail(error, empty ? BNN_E_MALFORMED : BNN_E_LIMIT, "tensor '%.80s': shape: %s %s", name,
                    bnn_shape_text(raw->shape, raw->rank).text, empty ? "holds nothing" : "is too large");
  }
  return raw->constant ? read_data(model, raw, value, error) : BNN_E_OK;
}

static enum bnn_status read_node(const struct bnn_model *model, uint32_t i, uint8_t *ready, struct bnn_error *error) {
  const struct bnn_header *header = model->header;
  const struct bnn_node *raw = (const struct bnn_node *)(model->data + header->nodes_offset) + i;
  const char *name = string_at(model, raw->name);
  if (name == NULL) return bnn_fail(error, BNN_E_MALFORMED, "node %" PRIu32 ": name: outside the strings", i);
  const struct bnn_op_row *row = bnn_op_find(raw->op);
  if (row == NULL) {
    return bnn_fail(error, BNN_E_UNSUPPORTED, "layer '%.80s': op: this runtime knows no operation %" PRIu32, name,
                    raw->op);
  }
  struct bnn_call *call = &model->calls[i];
  *call = (struct bnn_call){.row = row, .name = name, .input_count = raw->input_count};
  if (raw->params_bytes != row->params_bytes) {
    return bnn_broken(call, error, "params_bytes: %" PRIu32 ", not %" PRIu32, raw->params_bytes, row->params_bytes);
  }
  if (raw->params_offset % 8 || raw->params_offset > header->params_bytes ||
      raw->params_bytes > header->params_bytes - raw->params_offset) {
    return bnn_broken(call, error, "params_offset: %" PRIu32 " is not an aligned place in the params",
                      raw->params_offset);
  }
  if (raw->input_count < row->min_inputs || raw->input_count > row->max_inputs) {
    return bnn_broken(call, error, "input_count: %" PRIu32 ", not %" PRIu32 " to %" PRIu32, raw->input_count,
                      row->min_inputs, row->max_inputs);
  }
  if (raw->inputs > header->index_count || raw->input_count > header->index_count - raw->inputs) {
    return bnn_broken(call, error, "inputs: outside the index");
  }
  call->params = model->data + header->params_offset + raw->params_offset;
  call->inputs = model->operands + raw->inputs;
  for (uint32_t k = 0; k < raw->input_count; k++) {
    uint32_t tensor = model->index[raw->inputs + k];
    if (tensor == BNN_NONE) {
      if (k < row->min_inputs) return bnn_broken(call, error, "input %" PRIu32 " is absent", k);
    } else if (!ready[tensor]) {
      return bnn_broken(call, error, "input %" PRIu32 " ('%.60s') is not computed before this layer", k,
                        model->values[tensor].name);
    }
  }
  if (raw->output >= header->tensor_count)
    return bnn_broken(call, error, "output: there is no tensor %" PRIu32, raw->output);
  if (ready[raw->output]) {
    return bnn_broken(call, error, "output: '%.60s' has a value already", model->values[raw->output].name);
  }
  ready[raw->output] = 1;
  call->output = &model->values[raw->output];
  return row->op->check(call, error);
}

/* States are float32, and each is left as it is read. */
static enum bnn_status check_states(const struct bnn_model *model, struct bnn_error *error) {
  for (uint32_t i = 0; i < model->header->state_count; i++) {
    const struct bnn_value *state = &model->values[bnn_model_state(model, i)];
    const struct bnn_value *next = &model->values[bnn_model_next_state(model, i)];
    if (state->dtype == BNN_F32 && next->dtype == BNN_F32 && bnn_value_same_shape(state, next)) continue;
    return bnn_fail(error, BNN_E_MALFORMED, "state %" PRIu32 " ('%.60s') cannot take over '%.60s'", i, state->name,
                    next->name);
  }
  return BNN_E_OK;
}

enum bnn_status bnn_graph_read(struct bnn_model *model, uint8_t *ready, struct bnn_error *error) {
  const struct bnn_header *header = model->header;
  for (uint32_t i = 0; i < header->index_count; i++) {
    uint32_t tensor = model->index[i];
    bool port = i < header->input_count + header->output_count;
    if (tensor >= header->tensor_count && (port || tensor != BNN_NONE)) {
      return bnn_fail(error, BNN_E_MALFORMED, "index %" PRIu32 ": there is no tensor %" PRIu32, i, tensor);
    }
    model->operands[i] = tensor == BNN_NONE ? NULL : &model->values[tensor];
  }
  for (uint32_t i = 0; i < header->tensor_count; i++) {
    BNN_TRY(read_tensor(model, i, error));
    ready[i] = model->values[i].constant;
  }
  for (uint32_t i = 0; i < header->input_count; i++) {
    if (ready[model->index[i]]) {
      return bnn_fail(error, BNN_E_MALFORMED, "input %" PRIu32 " ('%.80s') is a constant or an input already", i,
                      bnn_model_input_value(model, i)->name);
    }
    ready[model->index[i]] = 1;
  }
  for (uint32_t i = 0; i < header->node_count; i++) BNN_TRY(read_node(model, i, ready, error));
  for (uint32_t i = 0; i < header->output_count; i++) {
    if (ready[model->index[header->input_count + i]]) continue;
    return bnn_fail(error, BNN_E_MALFORMED, "output %" PRIu32 " ('%.80s') is never computed", i,
                    bnn_model_output_value(model, i)->name);
  }
  return check_states(model, error);
}
