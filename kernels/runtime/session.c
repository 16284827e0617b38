/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/session.h"

#include <stdlib.h>
#include <string.h>

#include "ops/rules.h"

/* The model's values, operands and calls, with pointers to the copies. */
static enum bnn_status copy_graph(struct bnn_session *session, struct bnn_error *error) {
  const struct bnn_model *model = session->model;
  const struct bnn_header *header = model->header;
  session->values = calloc((size_t)header->tensor_count + 1, sizeof *session->values);
  session->operands = calloc((size_t)header->index_count + 1, sizeof *session->operands);
  session->calls = calloc((size_t)header->node_count + 1, sizeof *session->calls);
  session->plans = calloc((size_t)header->node_count + 1, sizeof *session->plans);
  session->root = calloc((size_t)header->tensor_count + 1, sizeof *session->root);
  session->chains = calloc((size_t)header->node_count + 1, sizeof *session->chains);
  session->chain = calloc((size_t)header->node_count + 1, sizeof *session->chain);
  if (!session->chains || !session->chain || !session->values || !session->operands || !session->calls || !session->plans || !session->root) {
    return bnn_fail(error, BNN_E_MEMORY, "no memory for a session");
  }
  memcpy(session->values, model->values, header->tensor_count * sizeof *session->values);
  for (uint32_t i = 0; i < header->index_count; i++) {
    if (model->operands[i]) session->operands[i] = session->values + (model->operands[i] - model->values);
  }
  for (uint32_t i = 0; i < header->node_count; i++) {
    session->calls[i] = model->calls[i];
    session->calls[i].inputs = session->operands + (model->calls[i].inputs - model->operands);
    session->calls[i].output = session->values + (model->calls[i].output - model->values);
  }
  return BNN_E_OK;
}

static enum bnn_status select_kernels(struct bnn_session *session, const struct bnn_options *options,
                                      struct bnn_error *error) {
  if (options->kernels != NULL) { /* the select keeps pointing to it */
    session->forced = strdup(options->kernels);
    if (session->forced == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for a session");
  }
  const char *wrong = bnn_select_init(&session->select, options->isa_mask, session->forced);
  if (wrong == NULL) return BNN_E_OK;
  return bnn_fail(error, BNN_E_ARGUMENT, "there is no ISA, family or kernel '%.*s'", (int)strcspn(wrong, ","), wrong);
}

static enum bnn_status plan_calls(struct bnn_session *session, struct bnn_error *error) {
  for (uint32_t i = 0; i < session->model->header->node_count; i++) {
    const struct bnn_call *call = &session->calls[i];
    struct bnn_plan *plan = &session->plans[i];
    plan->select = &session->select;
    plan->keep = &session->keep;
    plan->first_step = &session->first_step;
    BNN_TRY(call->row->op->plan(call, plan, error));
    if (plan->kernel == NULL) plan->kernel = call->row->name;
    bnn_model_forget(session->model);
  }
  return BNN_E_OK;
}

enum bnn_status bnn_session_create(struct bnn_session **slot, const struct bnn_model *model,
                                   const struct bnn_options *options, struct bnn_error *error) {
  const struct bnn_options none = {0};
  if (options == NULL) options = &none;
  struct bnn_session *session = calloc(1, sizeof *session);
  if (session == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for a session");
  session->model = model;
  session->first_step = true;
  uint32_t threads = options->threads ? options->threads : 1;
  enum bnn_status status = bnn_pool_open(&session->pool, threads, options->cpus, error);
  if (status == BNN_E_OK) status = select_kernels(session, options, error);
  if (status == BNN_E_OK) status = copy_graph(session, error);
  if (status == BNN_E_OK) status = plan_calls(session, error);
  if (status == BNN_E_OK) bnn_session_chain(session);
  if (status == BNN_E_OK) status = bnn_session_place(session, error);
  *slot = session;
  if (status != BNN_E_OK) bnn_session_close(slot);
  return status;
}

void bnn_session_close(struct bnn_session **slot) {
  struct bnn_session *session = *slot;
  *slot = NULL;
  if (session == NULL) return;
  bnn_pool_close(&session->pool);
  bnn_keep_free(&session->keep);
  free(session->forced);
  free(session->values);
  free(session->operands);
  free(session->calls);
  free(session->plans);
  free(session->chains);
  free(session->chain);
  free(session->root);
  free(session->arena);
  free(session);
}

enum bnn_status bnn_session_set_input(struct bnn_session *session, uint32_t index, const void *data, size_t bytes,
                                      struct bnn_error *error) {
  const struct bnn_header *header = session->model->header;
  if (index >= bnn_model_inputs(session->model)) {
    return bnn_fail(error, BNN_E_ARGUMENT, "there is no input %u: the model has %u", (unsigned)index,
                    (unsigned)bnn_model_inputs(session->model));
  }
  uint32_t tensor = session->model->index[index];
  struct bnn_value *value = &session->values[tensor];
  if (data == NULL || bytes != value->bytes) {
    return bnn_fail(error, BNN_E_ARGUMENT, "input '%.80s' takes %zu bytes, not %zu", value->name, value->bytes, bytes);
  }
  if (value->dtype != BNN_I8 && (uintptr_t)data % 4) {
    return bnn_fail(error, BNN_E_ARGUMENT, "input '%.80s' must be aligned to 4 bytes", value->name);
  }
  for (uint32_t i = 0; i < header->tensor_count; i++) { /* reshapes of it too */
    if (session->root[i] == tensor) session->values[i].data = (void *)(uintptr_t)data;
  }
  return BNN_E_OK;
}

const void *bnn_session_output(const struct bnn_session *session, uint32_t index) {
  const struct bnn_model *model = session->model;
  if (index >= bnn_model_outputs(model)) return NULL;
  return session->values[model->index[model->header->input_count + index]].data;
}

void bnn_session_reset(struct bnn_session *session) { session->first_step = true; }

void bnn_session_describe(const struct bnn_session *session, struct bnn_session_info *info) {
  *info = (struct bnn_session_info){
      .arena_bytes = session->arena_bytes,
      .live_bytes = session->live_bytes,
      .packed_bytes = session->keep.bytes,
      .layers = session->model->header->node_count,
      .threads = bnn_pool_threads(session->pool),
  };
  for (uint32_t i = 0; i < info->layers; i++) info->memory_bytes += session->plans[i].memory_bytes;
  for (uint32_t i = 0; i < session->model->header->state_count; i++) {
    info->memory_bytes += session->values[bnn_model_state(session->model, i)].bytes;
  }
}

bool bnn_session_layer(const struct bnn_session *session, uint32_t index, struct bnn_layer_info *info) {
  if (index >= session->model->header->node_count) return false;
  *info = (struct bnn_layer_info){session->calls[index].name, session->calls[index].row->name,
                                  session->plans[index].kernel};
  return true;
}
