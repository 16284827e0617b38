/* SPDX-License-Identifier: Apache-2.0 */
/* Turns bytes from anywhere into a model, or says which field is wrong. Nothing is read before it was proven to lie in
 * the file, and nothing is multiplied before its factors were bounded. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "ops/rules.h"
#include "runtime/graph.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a .bnn file is mapped as it lies, which needs a little-endian CPU"
#endif

/* The largest net of the Larq zoo has 200 nodes. These keep every later loop short, whatever the file says. */
#define MAX_NODES 16384u
#define MAX_TENSORS 65536u
#define MAX_INDEX (1u << 20)
#define MAX_PORTS 64u /* inputs, and outputs */

static const uint8_t magic[8] = {0x89, 'B', 'N', 'N', '\r', '\n', 0x1A, '\n'};

static enum bnn_status malformed(struct bnn_error *error, const char *what) {
  return bnn_fail(error, BNN_E_MALFORMED, "%s", what);
}

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
    return bnn_fail(error, BNN_E_TRUNCATED, "file_bytes: the header says %" PRIu64 ", the file has %zu",
                    header->file_bytes, bytes);
  }
  if (header->file_bytes < bytes) {
    return bnn_fail(error, BNN_E_MALFORMED, "file_bytes: the header says %" PRIu64 ", the file has %zu",
                    header->file_bytes, bytes);
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
      return bnn_fail(error, BNN_E_MALFORMED, "%s_offset: %" PRIu64 " is not a multiple of %d", sections[i].name,
                      offset, BNN_ALIGN);
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
  if (h->state_count > h->input_count || h->state_count > h->output_count) {
    return malformed(error, "state_count: above input_count or output_count");
  }
  if (h->output_count == h->state_count) return malformed(error, "output_count: a model without an output");
  return BNN_E_OK;
}

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
    status = bnn_graph_read(model, ready, error);
  } else {
    bnn_fail(error, status, "no memory for %" PRIu32 " tensors and %" PRIu32 " nodes", header->tensor_count,
             header->node_count);
  }
  free(ready);
  return status;
}
