/* SPDX-License-Identifier: Apache-2.0 */
/* A model with its session and the arrays that go in and out, as `run` and `bench` need them. */
#ifndef BNN_TOOLS_NETWORK_H
#define BNN_TOOLS_NETWORK_H

#include "tools/command.h"

/* A file in memory. */
struct array {
  void *data;
  size_t bytes;
};

struct network {
  struct bnn_model *model;
  struct bnn_session *session;
  struct bnn_model_info info;
  uint64_t load_ns, plan_ns; /* what opening the model and making the session took */
  struct array inputs[MAX_FILES];
  size_t runs; /* how many samples each input holds; time steps of one sample, where a model remembers */
  bool remembers;
  struct array outputs[MAX_FILES]; /* of all runs, one after the other */
};

/* Opens the model and makes the session. Nothing is left open on failure. */
enum bnn_status network_open(struct network *network, const struct options *options, struct bnn_error *error);
/* Reads the input files; each must hold the same whole number of samples. */
enum bnn_status network_read_inputs(struct network *network, const struct files *files, struct bnn_error *error);
/* Makes room for the outputs of all runs. */
enum bnn_status network_make_outputs(struct network *network, struct bnn_error *error);
/* All runs, which fill the outputs. A model that remembers begins with a first step. */
enum bnn_status network_run(struct network *network, struct bnn_error *error);
/* The same without keeping outputs; what `meter` counts up in each layer is added to spent[0 .. layers), unless that is
 * NULL. The inputs must have been run once: then nothing can fail. */
void network_infer(struct network *network, uint64_t (*meter)(void), uint64_t *spent);
void network_close(struct network *network);

/* {"type":"model",...} */
void report_model(const struct network *network);
/* {"name":..., "dtype":..., "shape":[...]} and, where asked, "bytes". */
void report_tensor(struct bnn_json *json, const struct bnn_tensor_info *info, uint64_t bytes);

/* The whole file; array->data is to be freed. IO, MEMORY. */
enum bnn_status array_read(struct array *array, const char *path, struct bnn_error *error);

#endif
