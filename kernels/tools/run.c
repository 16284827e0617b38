/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/network.h"

/* The outputs of all samples, one array an output. */
static enum bnn_status run_all(struct network *network, struct array *outputs, struct bnn_error *error) {
  struct bnn_tensor_info info;
  for (uint32_t i = 0; bnn_model_output(network->model, i, &info); i++) {
    outputs[i].bytes = (size_t)info.bytes * network->runs;
    outputs[i].data = outputs[i].bytes / network->runs == info.bytes ? malloc(outputs[i].bytes) : NULL;
    if (outputs[i].data == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for output '%.80s'", info.name);
  }
  for (size_t run = 0; run < network->runs; run++) {
    enum bnn_status status = network_set_inputs(network, run, error);
    if (status == BNN_E_OK) status = bnn_session_run(network->session, error);
    if (status != BNN_E_OK) return status;
    for (uint32_t i = 0; bnn_model_output(network->model, i, &info); i++) {
      memcpy((uint8_t *)outputs[i].data + run * (size_t)info.bytes, bnn_session_output(network->session, i),
             (size_t)info.bytes);
    }
  }
  return BNN_E_OK;
}

static enum bnn_status write_file(const char *path, const struct array *array, struct bnn_error *error) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return bnn_fail(error, BNN_E_IO, "%.160s: %s", path, strerror(errno));
  bool written = fwrite(array->data, 1, array->bytes, file) == array->bytes;
  if (fclose(file) == 0 && written) return BNN_E_OK;
  bnn_fail(error, BNN_E_IO, "%.160s: cannot be written: %s", path, strerror(errno));
  remove(path); /* half an answer is none */
  return BNN_E_IO;
}

static void report(const struct network *network, const struct array *outputs) {
  struct bnn_tensor_info info;
  struct bnn_json json = bnn_json_open(stdout, "run");
  bnn_json_integer(&json, "runs", (int64_t)network->runs);
  bnn_json_array(&json, "outputs");
  for (uint32_t i = 0; bnn_model_output(network->model, i, &info); i++) report_tensor(&json, &info, outputs[i].bytes);
  bnn_json_end_array(&json);
  bnn_json_close(&json);
}

int command_run(const struct options *options) {
  struct network network;
  struct bnn_error error;
  struct array outputs[MAX_FILES] = {{0}};
  enum bnn_status status = network_open(&network, options, &error);
  if (status == BNN_E_OK && options->outputs.count != network.info.outputs) {
    status = bnn_fail(&error, BNN_E_ARGUMENT, "the model has %u outputs, --output was given %u times",
                      (unsigned)network.info.outputs, (unsigned)options->outputs.count);
  }
  if (status == BNN_E_OK) status = network_read_inputs(&network, &options->inputs, &error);
  if (status == BNN_E_OK) status = run_all(&network, outputs, &error);
  for (uint32_t i = 0; status == BNN_E_OK && i < options->outputs.count; i++) {
    status = write_file(options->outputs.path[i], &outputs[i], &error);
  }
  if (status == BNN_E_OK) report(&network, outputs);
  for (uint32_t i = 0; i < MAX_FILES; i++) free(outputs[i].data);
  network_close(&network);
  return status == BNN_E_OK ? 0 : report_error(&error);
}
