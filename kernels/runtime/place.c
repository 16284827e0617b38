/* SPDX-License-Identifier: Apache-2.0 */
/* Gives every computed value its memory: aliases first, then what may be overwritten in place, then the arena.
 * What an op remembers from run to run lies in the arena all the time, and so do states. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "ops/rules.h"
#include "runtime/session.h"

/* What one address space should give to activations; far above any network for a board. */
#define MAX_ARENA (UINT64_C(1) << (sizeof(void *) > 4 ? 32 : 30))

#define NEVER UINT32_MAX

/* The lifetimes of roots, from node to node. */
struct lives {
  uint32_t *first; /* NEVER: not in the arena (a constant, or a borrowed input) */
  uint32_t *last;
};

static uint32_t number(const struct bnn_session *session, const struct bnn_value *value) {
  return (uint32_t)(value - session->values);
}

static void find_roots(struct bnn_session *session) {
  const struct bnn_header *header = session->model->header;
  for (uint32_t i = 0; i < header->tensor_count; i++) session->root[i] = i;
  for (uint32_t i = 0; i < header->node_count; i++) {
    const struct bnn_call *call = &session->calls[i];
    if (session->plans[i].alias)
      session->root[number(session, call->output)] = session->root[number(session, call->inputs[0])];
  }
}

static void find_lives(const struct bnn_session *session, struct lives *lives) {
  const struct bnn_header *header = session->model->header;
  for (uint32_t i = 0; i < header->tensor_count; i++) lives->first[i] = NEVER;
  for (uint32_t i = 0; i < header->node_count; i++) {
    const struct bnn_call *call = &session->calls[i];
    for (uint32_t k = 0; k < call->input_count; k++) {
      if (call->inputs[k] != NULL) lives->last[session->root[number(session, call->inputs[k])]] = i;
    }
    uint32_t output = number(session, call->output);
    if (session->root[output] == output) lives->first[output] = lives->last[output] = i;
  }
  for (uint32_t i = 0; i < header->output_count; i++) {
    lives->last[session->root[session->model->index[header->input_count + i]]] = header->node_count;
  }
  for (uint32_t i = 0; i < header->state_count; i++) {
    uint32_t state = bnn_model_state(session->model, i);
    lives->first[state] = 0;
    lives->last[state] = header->node_count;
  }
}

/* Is a value that was there before the chain of call `index` read in it before that call? Then all of it may still be
 * needed for other bands. */
static bool is_read_before(const struct bnn_session *session, uint32_t index, uint32_t root) {
  const uint32_t first = session->chains[session->chain[index]].first;
  for (uint32_t i = first; i < index; i++) {
    const struct bnn_call *call = &session->calls[i];
    if (session->root[number(session, call->output)] == root) return false;
    for (uint32_t k = 0; k < call->input_count; k++)
      if (call->inputs[k] && session->root[number(session, call->inputs[k])] == root) return true;
  }
  return false;
}

/* Where an input dies in a node that may overwrite it, the output takes over its memory. */
static void overwrite(struct bnn_session *session, struct lives *lives) {
  for (uint32_t i = 0; i < session->model->header->node_count; i++) {
    const struct bnn_call *call = &session->calls[i];
    uint32_t output = number(session, call->output);
    if (session->plans[i].alias) {
      session->root[output] = session->root[number(session, call->inputs[0])]; /* it may have moved */
      continue;
    }
    for (uint32_t k = 0; k < call->input_count; k++) {
      if (!(session->plans[i].in_place >> k & 1) || call->inputs[k]->bytes != call->output->bytes) continue;
      uint32_t root = session->root[number(session, call->inputs[k])];
      if (lives->first[root] == NEVER || lives->last[root] != i || is_read_before(session, i, root)) continue;
      session->root[output] = root;
      lives->last[root] = lives->last[output];
      lives->first[output] = NEVER;
      break;
    }
  }
}

/* A state that took over another one would depend on which of them is taken over first. */
static enum bnn_status check_states(const struct bnn_session *session, struct bnn_error *error) {
  uint32_t count = session->model->header->state_count;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t next = session->root[bnn_model_next_state(session->model, i)];
    for (uint32_t k = 0; k < count; k++) {
      if (next != bnn_model_state(session->model, k)) continue;
      return bnn_fail(error, BNN_E_MALFORMED, "state %" PRIu32 " ('%.80s') is left as another one was", i,
                      session->values[next].name);
    }
  }
  return BNN_E_OK;
}

/* Memory from node `first` to node `last`; those of a chain run at the same time. */
static struct bnn_span span(const struct bnn_session *session, size_t bytes, uint32_t first, uint32_t last) {
  const uint32_t nodes = session->model->header->node_count;
  return (struct bnn_span){bytes, session->chain[first], last < nodes ? session->chain[last] : session->chain_count, 0};
}

static enum bnn_status plan_arena(struct bnn_session *session, const struct lives *lives, struct bnn_span *spans,
                                  struct bnn_error *error) {
  const struct bnn_header *header = session->model->header;
  size_t count = 0, threads = bnn_pool_threads(session->pool);
  for (uint32_t i = 0; i < header->tensor_count; i++) {
    if (lives->first[i] != NEVER)
      spans[count++] = span(session, session->values[i].bytes, lives->first[i], lives->last[i]);
  }
  size_t memories = count;
  for (uint32_t i = 0; i < header->node_count; i++) {
    size_t bytes = session->plans[i].memory_bytes;
    if (bytes > 0) spans[count++] = span(session, bytes, 0, header->node_count);
  }
  size_t scratches = count;
  for (uint32_t i = 0; i < header->node_count; i++) {
    size_t *bytes = &session->plans[i].scratch_bytes;
    if (*bytes == 0) continue;
    if (*bytes > MAX_ARENA / threads) {
      return bnn_fail(error, BNN_E_LIMIT, "layer '%.80s' needs %zu bytes of scratch for each thread",
                      session->calls[i].name, *bytes);
    }
    *bytes = (*bytes + BNN_ALIGN - 1) / BNN_ALIGN * BNN_ALIGN;
    spans[count++] = span(session, *bytes * threads, i, i);
  }
  BNN_TRY(bnn_arena_plan(spans, count, &session->arena_bytes, &session->live_bytes, error));
  if (session->arena_bytes > MAX_ARENA) {
    return bnn_fail(error, BNN_E_LIMIT, "the activations need %" PRIu64 " bytes, at most %" PRIu64 " are accepted",
                    session->arena_bytes, MAX_ARENA);
  }
  session->arena = aligned_alloc(BNN_ALIGN, session->arena_bytes > 0 ? (size_t)session->arena_bytes : BNN_ALIGN);
  if (session->arena == NULL) {
    return bnn_fail(error, BNN_E_MEMORY, "no memory for %" PRIu64 " bytes of activations", session->arena_bytes);
  }
  size_t at = 0;
  for (uint32_t i = 0; i < header->tensor_count; i++) {
    if (lives->first[i] != NEVER) session->values[i].data = session->arena + spans[at++].offset;
  }
  at = memories;
  for (uint32_t i = 0; i < header->node_count; i++) {
    if (session->plans[i].memory_bytes > 0) session->plans[i].memory = session->arena + spans[at++].offset;
  }
  at = scratches;
  for (uint32_t i = 0; i < header->node_count; i++) { /* without scratch, a place of no bytes: to NULL nothing may be added */
    const size_t none = (size_t)session->arena_bytes;
    session->plans[i].scratch = session->arena + (session->plans[i].scratch_bytes > 0 ? spans[at++].offset : none);
  }
  for (uint32_t i = 0; i < header->tensor_count; i++) {
    if (session->root[i] != i) session->values[i].data = session->values[session->root[i]].data;
  }
  return BNN_E_OK;
}

enum bnn_status bnn_session_place(struct bnn_session *session, struct bnn_error *error) {
  size_t tensors = session->model->header->tensor_count, nodes = session->model->header->node_count;
  struct lives lives = {malloc((tensors + 1) * sizeof(uint32_t)), calloc(tensors + 1, sizeof(uint32_t))};
  struct bnn_span *spans = malloc((tensors + 2 * nodes + 1) * sizeof *spans);
  enum bnn_status status;
  if (lives.first == NULL || lives.last == NULL || spans == NULL) {
    status = bnn_fail(error, BNN_E_MEMORY, "no memory to plan the activations");
  } else {
    find_roots(session);
    status = check_states(session, error);
    find_lives(session, &lives);
    overwrite(session, &lives);
    if (status == BNN_E_OK) status = plan_arena(session, &lives, spans, error);
  }
  free(lives.first);
  free(lives.last);
  free(spans);
  return status;
}
