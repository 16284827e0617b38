/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/network.h"

static enum bnn_status write_file(const char *path, const struct array *array, struct bnn_error *error) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return bnn_fail(error, BNN_E_IO, "%.160s: %s", path, strerror(errno));
  bool written = fwrite(array->data, 1, array->bytes, file) == array->bytes;
  if (fclose(file) == 0 && written) return BNN_E_OK;
  bnn_fail(error, BNN_E_IO, "%.160s: cannot be written: %s", path, strerror(errno));
  remove(path); /* half an answer is none */
  return BNN_E_IO;
}

static void report(const struct network *network) {
  struct bnn_tensor_info info;
  struct bnn_json json = bnn_json_open(stdout, "run");
  bnn_json_integer(&json, "runs", (int64_t)network->runs);
  bnn_json_array(&json, "outputs");
  for (uint32_t i = 0; bnn_model_output(network->model, i, &info); i++) report_tensor(&json, &info, network->outputs[i].bytes);
  bnn_json_end_array(&json);
  bnn_json_close(&json);
}

int command_run(const struct options *options) {
  struct network network;
  struct bnn_error error;
  enum bnn_status status = network_open(&network, options, &error);
  if (status == BNN_E_OK && options->outputs.count != network.info.outputs) {
    status = bnn_fail(&error, BNN_E_ARGUMENT, "the model has %u outputs, --output was given %u times",
                      (unsigned)network.info.outputs, (unsigned)options->outputs.count);
  }
  if (status == BNN_E_OK) status = network_read_inputs(&network, &options->inputs, &error);
  if (status == BNN_E_OK) status = network_make_outputs(&network, &error);
  if (status == BNN_E_OK) status = network_run(&network, &error);
  for (uint32_t i = 0; status == BNN_E_OK && i < options->outputs.count; i++) {
    status = write_file(options->outputs.path[i], &network.outputs[i], &error);
  }
  if (status == BNN_E_OK) report(&network);
  network_close(&network);
  return status == BNN_E_OK ? 0 : report_error(&error);
}
