/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of layers of which each needs, for a part of its output, that part of the one before and no more: a convolution, the
 * sum with its shortcut and the quantiser of the next. Instead of one whole tensor after the other they go over a band at a
 * time, as long as it is in the cache, and threads meet once instead of three times. */
#include "runtime/session.h"

#define STEP_ELEMENTS 8192u /* of an output; so many floats are as large as the first cache of most cores */

/* The unit of a chain is a band of its first node, or a pixel, or what that node does at once if it is more. */
static size_t unit_elements(const struct bnn_call *call, const struct bnn_plan *plan) {
  const size_t channels = bnn_value_channels(call->output);
  return plan->unit_elements > channels ? plan->unit_elements : channels;
}

/* Can call `index` follow calls [first, index) band by band? */
static bool follows(const struct bnn_session *session, uint32_t first, uint32_t index) {
  const struct bnn_call *call = &session->calls[index];
  const struct bnn_plan *plan = &session->plans[index];
  bool reads = false;
  if (!plan->local || plan->alias || !bnn_value_same_shape(call->output, session->calls[first].output)) return false;
  if (unit_elements(&session->calls[first], &session->plans[first]) % plan->unit_elements) return false;
  for (uint32_t k = 0; k < call->input_count; k++) {
    for (uint32_t i = first; call->inputs[k] && i < index; i++) {
      if (call->inputs[k] != session->calls[i].output) continue;
      if (!bnn_value_same_shape(call->inputs[k], call->output)) return false;
      reads = true;
    }
  }
  return reads;
}

/* Can what follows call `first` be divided among the threads as evenly as its own units are? */
static bool leads(const struct bnn_session *session, uint32_t first) {
  const struct bnn_plan *plan = &session->plans[first];
  if (plan->alias) return false;
  if (!plan->bands) return plan->unit_elements > 0;
  const size_t bands = (size_t)plan->bands->batch * plan->bands->bands, threads = bnn_pool_threads(session->pool);
  return bands % threads == 0 || bands >= 4 * threads;
}

static struct bnn_chain chain_of(const struct bnn_session *session, uint32_t first, uint32_t count) {
  const struct bnn_call *call = &session->calls[first];
  const struct bnn_plan *plan = &session->plans[first];
  struct bnn_chain chain = {.first = first, .count = count, .units = plan->units, .grain = plan->grain, .first_units = 1};
  chain.step = chain.units;
  if (count == 1) return chain;
  chain.elements = unit_elements(call, plan);
  chain.bands = plan->bands;
  chain.channels = bnn_value_channels(call->output);
  chain.units = plan->bands ? (size_t)plan->bands->batch * plan->bands->bands
                            : bnn_value_elements(call->output) / chain.elements;
  chain.first_units = plan->units / chain.units;
  chain.grain = plan->grain / chain.first_units;
  chain.step = plan->bands || chain.elements >= STEP_ELEMENTS ? 1 : STEP_ELEMENTS / chain.elements;
  return chain;
}

void bnn_session_chain(struct bnn_session *session) {
  const uint32_t nodes = session->model->header->node_count;
  for (uint32_t first = 0, count; first < nodes; first += count) {
    count = 1;
    if (leads(session, first))
      while (first + count < nodes && follows(session, first, first + count)) count++;
    for (uint32_t i = 0; i < count; i++) session->chain[first + i] = session->chain_count;
    session->chains[session->chain_count++] = chain_of(session, first, count);
  }
}

size_t bnn_chain_element(const struct bnn_chain *chain, size_t unit) {
  return chain->bands ? bnn_patches_pixel(chain->bands, unit) * chain->channels : unit * chain->elements;
}
