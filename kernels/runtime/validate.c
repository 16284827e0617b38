/* SPDX-License-Identifier: Apache-2.0 */
/* Turns bytes from anywhere into a model, or says which field is wrong. Nothing is read before it was proven to lie in
 * the file, and nothing is multiplied before its factors were bounded. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "ops/rules.h"
#include "runtime/model.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a .bnn file is mapped as it lies, which needs a little-endian CPU"
#endif

/* The largest net of the Larq zoo has 200 nodes. These keep every later loop short, whatever the file says. */
#define MAX_NODES 16384u
#define MAX_TENSORS 65536u
#define MAX_INDEX (1u << 20)
#define MAX_PORTS 64u /* inputs, and outputs */
#define MAX_PLANES 8u

static const uint8_t magic[8] = {0x89, 'B', 'N', 'N', '\r', '\n', 0x1A, '\n'};

static enum bnn_status malformed(struct bnn_error *error, const char *what) {
  return bnn_fail(error, BNN_E_MALFORMED, "%s", what);
}

/* --- header --------------------------------------------------------------------------------------------------------- */

static enum bnn_status check_identity(const struct bnn_model *model, struct bnn_error *error) {
  size_t bytes = model->bytes, seen = bytes < sizeof magic ? bytes : sizeof magic;
  if (bytes == 0 || memcmp(model->data, magic, seen) != 0) {
    bool text_mode = bytes >= sizeof magic && memcmp(model->data, magic, 4) == 0;
    return bnn_fail(error, BNN_E_NOT_BNN, "%s",
                    text_mode ? "magic: a .bnn file whose line ends were changed by a transfer in text mode"
                              : "magic: this is not a .bnn file");
  }
  if (bytes < sizeof *model->header) {
    return bnn_fail(error, BNN_E_TRUNCATED, "the file has %zu bytes, its header alone needs %zu", bytes,
                    sizeof *model->header);
  }
  const struct bnn_header *header = model->header;
  if (header->version != BNN_VERSION) {
    return bnn_fail(error, BNN_E_VERSION, "version: the file has %" PRIu32 ", this runtime reads %d", header->version,
                    BNN_VERSION);
  }
  if (header->file_bytes > bytes) {
    return bnn_fail(error, BNN_E_TRUNCATED, "file_bytes: the header says %" PRIu64 ", the file has %zu", header->file_bytes,
                    bytes);
  }
  if (header->file_bytes < bytes) {
    return bnn_fail(error, BNN_E_MALFORMED, "file_bytes: the header says %" PRIu64 ", the file has %zu", header->file_bytes,
                    bytes);
  }
  return BNN_E_OK;
}

static enum bnn_status check_sum(const struct bnn_model *model, struct bnn_error *error) {
  const size_t at = offsetof(struct bnn_header, checksum), after = at + sizeof model->header->checksum;
  const uint32_t zero = 0;
  struct bnn_crc32 crc;
  bnn_crc32_init(&crc);
  uint32_t sum = bnn_crc32_update(&crc, 0, model->data, at);
  sum = bnn_crc32_update(&crc, sum, &zero, sizeof zero);
  sum = bnn_crc32_update(&crc, sum, model->data + after, model->bytes - after);
  if (sum == model->header->checksum) return BNN_E_OK;
  return bnn_fail(error, BNN_E_CHECKSUM, "checksum: the header says %08" PRIx32 ", the bytes give %08" PRIx32,
                  model->header->checksum, sum);
}

static enum bnn_status check_sections(const struct bnn_model *model, struct bnn_error *error) {
  const struct bnn_header *h = model->header;
  const struct {
    const char *name;
    uint32_t count, limit;
  } counts[] = {
      {"tensor_count", h->tensor_count, MAX_TENSORS}, {"node_count", h->node_count, MAX_NODES},
      {"index_count", h->index_count, MAX_INDEX},     {"input_count", h->input_count, MAX_PORTS},
      {"output_count", h->output_count, MAX_PORTS},
  };
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    if (counts[i].count <= counts[i].limit) continue;
    return bnn_fail(error, BNN_E_LIMIT, "%s: %" PRIu32 ", at most %" PRIu32 " are accepted", counts[i].name,
                    counts[i].count, counts[i].limit);
  }
  const struct {
    const char *name;
    uint64_t offset, bytes;
  } sections[] = {
      {"header", 0, sizeof *h},
      {"tensors", h->tensors_offset, (uint64_t)h->tensor_count * sizeof(struct bnn_tensor)},
      {"nodes", h->nodes_offset, (uint64_t)h->node_count * sizeof(struct bnn_node)},
      {"index", h->index_offset, (uint64_t)h->index_count * sizeof(uint32_t)},
      {"params", h->params_offset, h->params_bytes},
      {"strings", h->strings_offset, h->strings_bytes},
      {"data", h->data_offset, h->data_bytes},
  };
  uint64_t end = 0; /* of the section before: they stand in this order and do not overlap */
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
    uint64_t offset = sections[i].offset, bytes = sections[i].bytes;
    if (offset % BNN_ALIGN) {
      return bnn_fail(error, BNN_E_MALFORMED, "%s_offset: %" PRIu64 " is not a multiple of %d", sections[i].name, offset,
                      BNN_ALIGN);
    }
    if (offset < end || offset > model->bytes || bytes > model->bytes - offset) {
      return bnn_fail(error, BNN_E_MALFORMED, "%s_offset: %" PRIu64 " bytes at %" PRIu64 " do not fit into the file",
                      sections[i].name, bytes, offset);
    }
    end = offset + bytes;
  }
  if (h->input_count + h->output_count > h->index_count) {
    return malformed(error, "index_count: below input_count + output_count");
  }
  if (h->output_count == 0) return malformed(error, "output_count: a model without an output");
  return BNN_E_OK;
}

/* --- strings -------------------------------------------------------------------------------------------------------- */

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_utf8(const uint8_t *text, size_t bytes) {
  for (size_t i = 0; i < bytes;) {
    uint8_t lead = text[i++];
    if (lead < 0x80) continue;
    size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || more > bytes - i) return false;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (text[i] < low || text[i] > high) return false;
    for (size_t k = 1; k < more; k++) {
      if ((text[i + k] & 0xC0) != 0x80) return false;
    }
    i += more;
  }
  return true;
}

static enum bnn_status check_strings(const struct bnn_model *model, struct bnn_error *error) {
  const uint8_t *strings = model->data + model->header->strings_offset;
  uint32_t bytes = model->header->strings_bytes;
  if (bytes > 0 && strings[bytes - 1] != 0) return malformed(error, "strings: the last one is not terminated");
  if (!is_utf8(strings, bytes)) return malformed(error, "strings: not UTF-8");
  return BNN_E_OK;
}

/* NULL where the offset is outside: the section ends with a zero, so every offset within it is a string. */
static const char *string_at(const struct bnn_model *model, uint32_t offset) {
  if (offset >= model->header->strings_bytes) return NULL;
  return (const char *)model->data + model->header->strings_offset + offset;
}

/* --- tensors -------------------------------------------------------------------------------------------------------- */

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

static enum bnn_status read_tensor(const struct bnn_model *model, uint32_t i, struct bnn_error *error) {
  const struct bnn_header *header = model->header;
  const struct bnn_tensor *raw = (const struct bnn_tensor *)(model->data + header->tensors_offset) + i;
  const char *name = string_at(model, raw->name);
  if (name == NULL) return bnn_fail(error, BNN_E_MALFORMED, "tensor %" PRIu32 ": name: outside the strings", i);
  const char *broken = NULL;
  if (raw->dtype < BNN_F32 || raw->dtype > BNN_BITS) broken = "dtype: unknown";
  else if (raw->rank > BNN_MAX_RANK) broken = "rank: above 6";
  else if (raw->planes < 1 || raw->planes > MAX_PLANES) broken = "planes: not 1 to 8";
  else if (raw->planes != 1 && raw->dtype != BNN_BITS) broken = "planes: only bits have several";
  else if (raw->dtype == BNN_BITS && raw->rank == 0) broken = "rank: bits need an axis to lie along";
  else if (raw->constant > 1) broken = "constant: neither 0 nor 1";
  else if (!raw->constant && (raw->data_offset || raw->data_bytes)) broken = "data_offset: only constants have data";
  for (uint32_t axis = raw->rank; broken == NULL && axis < BNN_MAX_RANK; axis++) {
    if (raw->shape[axis] != 1) broken = "shape: an unused axis is not 1";
  }
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
  if (!raw->constant) return BNN_E_OK;

  uint64_t first = header->data_offset, last = first + header->data_bytes;
  if (raw->data_bytes != value->bytes) {
    return bnn_fail(error, BNN_E_MALFORMED, "tensor '%.80s': data_bytes: %" PRIu64 ", its shape needs %zu", name,
                    raw->data_bytes, value->bytes);
  }
  if (raw->data_offset % BNN_ALIGN || raw->data_offset < first || raw->data_offset > last ||
      raw->data_bytes > last - raw->data_offset) {
    return bnn_fail(error, BNN_E_MALFORMED, "tensor '%.80s': data_offset: %" PRIu64 " is not an aligned place in the data",
                    name, raw->data_offset);
  }
  value->data = (void *)(uintptr_t)(model->data + raw->data_offset); /* never written: `constant` says so */
  if (value->dtype == BNN_BITS && !tails_are_zero(value)) {
    return bnn_fail(error, BNN_E_MALFORMED, "tensor '%.80s': data: bits behind the last channel are not zero", name);
  }
  return BNN_E_OK;
}

/* --- nodes ---------------------------------------------------------------------------------------------------------- */

static enum bnn_status read_node(const struct bnn_model *model, uint32_t i, uint8_t *ready, struct bnn_error *error) {
  const struct bnn_header *header = model->header;
  const struct bnn_node *raw = (const struct bnn_node *)(model->data + header->nodes_offset) + i;
  const char *name = string_at(model, raw->name);
  if (name == NULL) return bnn_fail(error, BNN_E_MALFORMED, "node %" PRIu32 ": name: outside the strings", i);
  const struct bnn_op_row *row = bnn_op_find(raw->op);
  if (row == NULL) {
    return bnn_fail(error, BNN_E_UNSUPPORTED, "layer '%.80s': op: this runtime knows no operation %" PRIu32, name, raw->op);
  }
  struct bnn_call *call = &model->calls[i];
  *call = (struct bnn_call){.row = row, .name = name, .input_count = raw->input_count};
  if (raw->params_bytes != row->params_bytes) {
    return bnn_broken(call, error, "params_bytes: %" PRIu32 ", not %" PRIu32, raw->params_bytes, row->params_bytes);
  }
  if (raw->params_offset % 8 || raw->params_offset > header->params_bytes ||
      raw->params_bytes > header->params_bytes - raw->params_offset) {
    return bnn_broken(call, error, "params_offset: %" PRIu32 " is not an aligned place in the params", raw->params_offset);
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
  if (raw->output >= header->tensor_count) return bnn_broken(call, error, "output: there is no tensor %" PRIu32, raw->output);
  if (ready[raw->output]) {
    return bnn_broken(call, error, "output: '%.60s' has a value already", model->values[raw->output].name);
  }
  ready[raw->output] = 1;
  call->output = &model->values[raw->output];
  return row->op->check(call, error);
}

static enum bnn_status read_graph(struct bnn_model *model, uint8_t *ready, struct bnn_error *error) {
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
  return BNN_E_OK;
}

enum bnn_status bnn_model_validate(struct bnn_model *model, struct bnn_error *error) {
  model->header = (const struct bnn_header *)model->data;
  BNN_TRY(check_identity(model, error));
  BNN_TRY(check_sum(model, error));
  BNN_TRY(check_sections(model, error));
  BNN_TRY(check_strings(model, error));
  const struct bnn_header *header = model->header;
  model->index = (const uint32_t *)(model->data + header->index_offset);
  model->values = calloc((size_t)header->tensor_count + 1, sizeof *model->values); /* + 1: calloc(0) may give NULL */
  model->operands = calloc((size_t)header->index_count + 1, sizeof *model->operands);
  model->calls = calloc((size_t)header->node_count + 1, sizeof *model->calls);
  uint8_t *ready = calloc((size_t)header->tensor_count + 1, 1);
  enum bnn_status status = BNN_E_MEMORY;
  if (model->values && model->operands && model->calls && ready) {
    status = read_graph(model, ready, error);
  } else {
    bnn_fail(error, status, "no memory for %" PRIu32 " tensors and %" PRIu32 " nodes", header->tensor_count, header->node_count);
  }
  free(ready);
  return status;
}
