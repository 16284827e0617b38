/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#include "runtime/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum bnn_status open_bytes(struct bnn_model **out, const uint8_t *data, size_t bytes, bool mapped,
                                  struct bnn_error *error) {
  struct bnn_model *model = calloc(1, sizeof *model);
  if (model == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for a model");
  model->data = data;
  model->bytes = bytes;
  enum bnn_status status = bnn_model_validate(model, error);
  model->mapped = mapped && status == BNN_E_OK; /* until then the mapping is the caller's */
  if (status == BNN_E_OK) {
    bnn_model_forget(model); /* the checksum has touched it all */
    *out = model;
  } else {
    bnn_model_close(&model);
  }
  return status;
}

void bnn_model_forget(const struct bnn_model *model) {
  if (model->mapped) madvise((void *)(uintptr_t)model->data, model->bytes, MADV_DONTNEED);
}

enum bnn_status bnn_model_open(struct bnn_model **model, const char *path, struct bnn_error *error) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return bnn_fail(error, BNN_E_IO, "%.160s: %s", path, strerror(errno));
  struct stat facts;
  enum bnn_status status = BNN_E_OK;
  if (fstat(file, &facts) != 0) {
    status = bnn_fail(error, BNN_E_IO, "%.160s: %s", path, strerror(errno));
  } else if (!S_ISREG(facts.st_mode)) {
    status = bnn_fail(error, BNN_E_IO, "%.160s: not a regular file, so that it cannot be mapped", path);
  } else if (facts.st_size == 0) {
    status = bnn_fail(error, BNN_E_NOT_BNN, "%.160s: the file is empty", path);
  } else if ((uint64_t)facts.st_size > PTRDIFF_MAX) {
    status = bnn_fail(error, BNN_E_LIMIT, "%.160s: too large to be mapped here", path);
  }
  void *data = MAP_FAILED;
  size_t bytes = status == BNN_E_OK ? (size_t)facts.st_size : 0;
  if (status == BNN_E_OK) {
    data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) status = bnn_fail(error, BNN_E_IO, "%.160s: cannot be mapped: %s", path, strerror(errno));
  }
  close(file);
  if (status == BNN_E_OK) status = open_bytes(model, data, bytes, true, error);
  if (status != BNN_E_OK && data != MAP_FAILED) munmap(data, bytes);
  return status;
}

enum bnn_status bnn_model_open_memory(struct bnn_model **model, const void *data, size_t bytes,
                                      struct bnn_error *error) {
  if ((uintptr_t)data % 8) return bnn_fail(error, BNN_E_ARGUMENT, "the bytes of a model must be aligned to 8");
  return open_bytes(model, data, bytes, false, error);
}

void bnn_model_close(struct bnn_model **slot) {
  struct bnn_model *model = *slot;
  *slot = NULL;
  if (model == NULL) return;
  free(model->values);
  free(model->operands);
  free(model->calls);
  if (model->mapped) munmap((void *)(uintptr_t)model->data, model->bytes);
  free(model);
}

void bnn_model_describe(const struct bnn_model *model, struct bnn_model_info *info) {
  const struct bnn_header *header = model->header;
  *info = (struct bnn_model_info){
      .version = header->version,
      .bytes = model->bytes,
      .tensors = header->tensor_count,
      .nodes = header->node_count,
      .inputs = bnn_model_inputs(model),
      .outputs = bnn_model_outputs(model),
  };
  for (uint32_t i = 0; i < header->tensor_count; i++) {
    if (model->values[i].constant) info->weight_bytes += model->values[i].bytes;
  }
}

static void describe(const struct bnn_value *value, struct bnn_tensor_info *info) {
  *info = (struct bnn_tensor_info){
      .name = value->name, .dtype = value->dtype, .rank = value->rank, .planes = value->planes, .bytes = value->bytes};
  memcpy(info->shape, value->shape, sizeof info->shape);
}

bool bnn_model_input(const struct bnn_model *model, uint32_t index, struct bnn_tensor_info *info) {
  if (index >= bnn_model_inputs(model)) return false;
  describe(bnn_model_input_value(model, index), info);
  return true;
}

bool bnn_model_output(const struct bnn_model *model, uint32_t index, struct bnn_tensor_info *info) {
  if (index >= bnn_model_outputs(model)) return false;
  describe(bnn_model_output_value(model, index), info);
  return true;
}
