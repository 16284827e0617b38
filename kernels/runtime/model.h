/* SPDX-License-Identifier: Apache-2.0 */
/* A .bnn file after validation: what the rest of the runtime may trust. */
#ifndef BNN_RUNTIME_MODEL_H
#define BNN_RUNTIME_MODEL_H

#include "runtime/op.h"

struct bnn_model {
  const uint8_t *data;
  size_t bytes;
  bool mapped; /* data is a mapping of the model's own */
  const struct bnn_header *header;
  const uint32_t *index;
  struct bnn_value *values;          /* tensor_count */
  const struct bnn_value **operands; /* parallel to index; NULL for BNN_NONE */
  struct bnn_call *calls;            /* node_count */
};

static inline const struct bnn_value *bnn_model_input_value(const struct bnn_model *model, uint32_t i) {
  return &model->values[model->index[i]];
}

static inline const struct bnn_value *bnn_model_output_value(const struct bnn_model *model, uint32_t i) {
  return &model->values[model->index[model->header->input_count + i]];
}

/* What callers give and get; the states that follow are the session's own. */
static inline uint32_t bnn_model_inputs(const struct bnn_model *model) {
  return model->header->input_count - model->header->state_count;
}

static inline uint32_t bnn_model_outputs(const struct bnn_model *model) {
  return model->header->output_count - model->header->state_count;
}

/* The tensor that reads state i, and the one that a run leaves in it. */
static inline uint32_t bnn_model_state(const struct bnn_model *model, uint32_t i) {
  return model->index[bnn_model_inputs(model) + i];
}

static inline uint32_t bnn_model_next_state(const struct bnn_model *model, uint32_t i) {
  return model->index[model->header->input_count + bnn_model_outputs(model) + i];
}

/* Lets the system take back the pages of the file that were read so far; where one is read again, it comes back from
 * the file. Once packed, weights need not lie in memory twice. */
void bnn_model_forget(const struct bnn_model *model);

/* Validates data[0 .. bytes) and fills what is above, allocating values, operands and calls (also on failure: the
 * caller frees them). */
enum bnn_status bnn_model_validate(struct bnn_model *model, struct bnn_error *error);

#endif
