/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/value.h"

enum bnn_status network_open(struct network *network, const struct options *options, struct bnn_error *error) {
  *network = (struct network){0};
  if (options->model == NULL) return bnn_fail(error, BNN_E_ARGUMENT, "--model is missing");
  uint64_t start = bnn_clock_ns();
  enum bnn_status status = bnn_model_open(&network->model, options->model, error);
  uint64_t loaded = bnn_clock_ns();
  if (status == BNN_E_OK) status = bnn_session_create(&network->session, network->model, &options->session, error);
  network->load_ns = loaded - start;
  network->plan_ns = bnn_clock_ns() - loaded;
  if (status == BNN_E_OK) {
    struct bnn_session_info session;
    bnn_model_describe(network->model, &network->info);
    bnn_session_describe(network->session, &session);
    network->remembers = session.memory_bytes > 0;
  } else {
    network_close(network);
  }
  return status;
}

enum bnn_status array_read(struct array *array, const char *path, struct bnn_error *error) {
  *array = (struct array){NULL, 0};
  FILE *file = fopen(path, "rb");
  if (file == NULL) return bnn_fail(error, BNN_E_IO, "%.160s: %s", path, strerror(errno));
  enum bnn_status status = BNN_E_OK;
  long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  if (size < 0 || fseek(file, 0, SEEK_SET) != 0) {
    status = bnn_fail(error, BNN_E_IO, "%.160s: %s", path, strerror(errno));
  } else {
    array->bytes = (size_t)size;
    array->data = malloc(array->bytes + 1);
    if (array->data == NULL) {
      status = bnn_fail(error, BNN_E_MEMORY, "%.160s: no memory for %zu bytes", path, array->bytes);
    } else if (fread(array->data, 1, array->bytes, file) != array->bytes) {
      status = bnn_fail(error, BNN_E_IO, "%.160s: cannot be read", path);
    }
  }
  fclose(file);
  return status;
}

enum bnn_status network_read_inputs(struct network *network, const struct files *files, struct bnn_error *error) {
  if (files->count != network->info.inputs) {
    return bnn_fail(error, BNN_E_ARGUMENT, "the model has %u inputs, --input was given %u times",
                    (unsigned)network->info.inputs, (unsigned)files->count);
  }
  network->runs = 1;
  for (uint32_t i = 0; i < files->count; i++) {
    struct array *input = &network->inputs[i];
    enum bnn_status status = array_read(input, files->path[i], error);
    if (status != BNN_E_OK) return status;
    struct bnn_tensor_info info;
    bnn_model_input(network->model, i, &info);
    size_t runs = input->bytes / (size_t)info.bytes;
    if (runs == 0 || input->bytes % info.bytes || (i > 0 && runs != network->runs)) {
      return bnn_fail(error, BNN_E_ARGUMENT, "%.100s: %zu bytes; input '%.60s' takes %zu bytes a sample%s",
                      files->path[i], input->bytes, info.name, (size_t)info.bytes,
                      i > 0 ? ", as many samples as the others" : "");
    }
    network->runs = runs;
  }
  return BNN_E_OK;
}

/* Points the session to run `run` of the inputs. */
static enum bnn_status set_inputs(struct network *network, size_t run, struct bnn_error *error) {
  for (uint32_t i = 0; i < network->info.inputs; i++) {
    struct bnn_tensor_info info;
    bnn_model_input(network->model, i, &info);
    const uint8_t *data = (const uint8_t *)network->inputs[i].data + run * (size_t)info.bytes;
    enum bnn_status status = bnn_session_set_input(network->session, i, data, (size_t)info.bytes, error);
    if (status != BNN_E_OK) return status;
  }
  return BNN_E_OK;
}

enum bnn_status network_make_outputs(struct network *network, struct bnn_error *error) {
  struct bnn_tensor_info info;
  for (uint32_t i = 0; bnn_model_output(network->model, i, &info); i++) {
    struct array *output = &network->outputs[i];
    output->bytes = (size_t)info.bytes * network->runs;
    output->data = output->bytes / network->runs == info.bytes ? malloc(output->bytes) : NULL;
    if (output->data == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for output '%.80s'", info.name);
  }
  return BNN_E_OK;
}

enum bnn_status network_run(struct network *network, struct bnn_error *error) {
  bnn_session_reset(network->session);
  for (size_t run = 0; run < network->runs; run++) {
    enum bnn_status status = set_inputs(network, run, error);
    if (status == BNN_E_OK) status = bnn_session_run(network->session, error);
    if (status != BNN_E_OK) return status;
    struct bnn_tensor_info info;
    for (uint32_t i = 0; bnn_model_output(network->model, i, &info); i++) {
      memcpy((uint8_t *)network->outputs[i].data + run * (size_t)info.bytes, bnn_session_output(network->session, i),
             (size_t)info.bytes);
    }
  }
  return BNN_E_OK;
}

void network_infer(struct network *network, uint64_t (*meter)(void), uint64_t *spent) {
  bnn_session_reset(network->session);
  for (size_t run = 0; run < network->runs; run++) {
    if (network->runs > 1) set_inputs(network, run, NULL);
    if (spent == NULL) {
      bnn_session_run(network->session, NULL);
    } else {
      bnn_session_profile(network->session, meter, spent, NULL);
    }
  }
}

void network_close(struct network *network) {
  for (uint32_t i = 0; i < MAX_FILES; i++) {
    free(network->inputs[i].data);
    free(network->outputs[i].data);
  }
  bnn_session_close(&network->session);
  bnn_model_close(&network->model);
}

void report_tensor(struct bnn_json *json, const struct bnn_tensor_info *info, uint64_t bytes) {
  bnn_json_object(json, NULL);
  bnn_json_string(json, "name", info->name);
  bnn_json_string(json, "dtype", bnn_dtype_name(info->dtype));
  bnn_json_array(json, "shape");
  for (uint32_t axis = 0; axis < info->rank; axis++) bnn_json_integer(json, NULL, info->shape[axis]);
  bnn_json_end_array(json);
  if (bytes > 0) bnn_json_integer(json, "bytes", (int64_t)bytes);
  bnn_json_end_object(json);
}

void report_model(const struct network *network) {
  struct bnn_session_info session;
  struct bnn_tensor_info tensor;
  struct bnn_layer_info layer;
  bnn_session_describe(network->session, &session);
  struct bnn_json json = bnn_json_open(stdout, "model");
  bnn_json_integer(&json, "version", network->info.version);
  bnn_json_integer(&json, "bytes", (int64_t)network->info.bytes);
  bnn_json_integer(&json, "tensors", network->info.tensors);
  bnn_json_integer(&json, "nodes", network->info.nodes);
  bnn_json_integer(&json, "weight_bytes", (int64_t)network->info.weight_bytes);
  bnn_json_integer(&json, "packed_bytes", (int64_t)session.packed_bytes);
  bnn_json_integer(&json, "arena_bytes", (int64_t)session.arena_bytes);
  bnn_json_integer(&json, "live_bytes", (int64_t)session.live_bytes);
  bnn_json_integer(&json, "memory_bytes", (int64_t)session.memory_bytes);
  bnn_json_integer(&json, "threads", session.threads);
  bnn_json_integer(&json, "load_ns", (int64_t)network->load_ns);
  bnn_json_integer(&json, "plan_ns", (int64_t)network->plan_ns);
  bnn_json_array(&json, "inputs");
  for (uint32_t i = 0; bnn_model_input(network->model, i, &tensor); i++) report_tensor(&json, &tensor, 0);
  bnn_json_end_array(&json);
  bnn_json_array(&json, "outputs");
  for (uint32_t i = 0; bnn_model_output(network->model, i, &tensor); i++) report_tensor(&json, &tensor, 0);
  bnn_json_end_array(&json);
  bnn_json_array(&json, "layers");
  for (uint32_t i = 0; bnn_session_layer(network->session, i, &layer); i++) {
    bnn_json_object(&json, NULL);
    bnn_json_string(&json, "name", layer.name);
    bnn_json_string(&json, "op", layer.op);
    bnn_json_string(&json, "kernel", layer.kernel);
    bnn_json_end_object(&json);
  }
  bnn_json_end_array(&json);
  bnn_json_close(&json);
}
