/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/denormal.h"
#include "ops/rules.h"
#include "runtime/session.h"

struct job {
  const struct bnn_session *session;
  const struct bnn_chain *chain;
  uint64_t (*meter)(void); /* NULL: nothing is measured */
  uint64_t *spent;         /* of each node, in the thread that called */
};

/* What node `index` does of the units [begin, end) of its chain, which are the elements [from, to) of its output. */
static void run_node(const struct job *job, uint32_t index, size_t begin, size_t end, size_t from, size_t to,
                     uint32_t thread) {
  const struct bnn_call *call = &job->session->calls[index];
  const struct bnn_plan *plan = &job->session->plans[index];
  const bool measured = job->meter && thread == 0, first = index == job->chain->first;
  const size_t each = job->chain->first_units;
  const uint64_t start = measured ? job->meter() : 0;
  call->row->op->run(call, plan, first ? begin * each : from / plan->unit_elements,
                     first ? end * each : to / plan->unit_elements, thread);
  if (measured) job->spent[index] += job->meter() - start;
}

static void work(void *argument, size_t begin, size_t end, uint32_t thread) {
  const struct job *job = argument;
  const struct bnn_chain *chain = job->chain;
  size_t from = bnn_chain_element(chain, begin);
  for (size_t next, to; begin < end; begin = next, from = to) {
    next = chain->step < end - begin ? begin + chain->step : end;
    to = bnn_chain_element(chain, next);
    for (uint32_t i = 0; i < chain->count; i++) run_node(job, chain->first + i, begin, next, from, to, thread);
  }
}

static uint64_t spent_in(const struct job *job) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < job->chain->count; i++) sum += job->spent[job->chain->first + i];
  return sum;
}

static void run_chain(struct job *job) {
  const struct bnn_chain *chain = job->chain;
  if (job->session->plans[chain->first].alias) return;
  const uint64_t start = job->meter ? job->meter() : 0, before = job->meter ? spent_in(job) : 0;
  bnn_pool_run(job->session->pool, chain->units, chain->grain, work, job);
  /* Threads that start and wait belong to the layer that the others follow. */
  if (job->meter) job->spent[chain->first] += job->meter() - start - (spent_in(job) - before);
}

static enum bnn_status inputs_are_set(const struct bnn_session *session, struct bnn_error *error) {
  for (uint32_t i = 0; i < session->model->header->input_count; i++) {
    const struct bnn_value *value = &session->values[session->model->index[i]];
    if (value->data == NULL) return bnn_fail(error, BNN_E_ARGUMENT, "input '%.80s' was never set", value->name);
  }
  return BNN_E_OK;
}

/* Before the first step, states are zero. */
static void begin(const struct bnn_session *session) {
  for (uint32_t i = 0; session->first_step && i < session->model->header->state_count; i++) {
    const struct bnn_value *state = &session->values[bnn_model_state(session->model, i)];
    memset(state->data, 0, state->bytes);
  }
}

/* What the step leaves in its states is what the next one reads. */
static void end(struct bnn_session *session) {
  for (uint32_t i = 0; i < session->model->header->state_count; i++) {
    const struct bnn_value *state = &session->values[bnn_model_state(session->model, i)];
    memcpy(state->data, session->values[bnn_model_next_state(session->model, i)].data, state->bytes);
  }
  session->first_step = false;
}

/* All nodes, one chain after the other; `meter` and `spent` may be NULL. */
static enum bnn_status run_all(struct bnn_session *session, uint64_t (*meter)(void), uint64_t *spent,
                               struct bnn_error *error) {
  BNN_TRY(inputs_are_set(session, error));
  begin(session);
  bnn_float_mode mode = bnn_float_flush();
  bnn_pool_wake(session->pool);
  for (uint32_t i = 0; i < session->chain_count; i++) {
    run_chain(&(struct job){session, &session->chains[i], meter, spent});
  }
  bnn_pool_rest(session->pool);
  bnn_float_restore(mode);
  end(session);
  return BNN_E_OK;
}

enum bnn_status bnn_session_run(struct bnn_session *session, struct bnn_error *error) {
  return run_all(session, NULL, NULL, error);
}

enum bnn_status bnn_session_profile(struct bnn_session *session, uint64_t (*meter)(void), uint64_t *spent,
                                    struct bnn_error *error) {
  return run_all(session, meter ? meter : bnn_clock_ns, spent, error);
}
