/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/denormal.h"
#include "ops/rules.h"
#include "runtime/session.h"

struct job {
  const struct bnn_call *call;
  const struct bnn_plan *plan;
};

static void work(void *argument, size_t begin, size_t end, uint32_t thread) {
  const struct job *job = argument;
  job->call->row->op->run(job->call, job->plan, begin, end, thread);
}

static void step(struct bnn_session *session, uint32_t index) {
  struct job job = {&session->calls[index], &session->plans[index]};
  if (!job.plan->alias) bnn_pool_run(session->pool, job.plan->units, job.plan->grain, work, &job);
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

enum bnn_status bnn_session_run(struct bnn_session *session, struct bnn_error *error) {
  BNN_TRY(inputs_are_set(session, error));
  begin(session);
  bnn_float_mode mode = bnn_float_flush();
  bnn_pool_wake(session->pool);
  for (uint32_t i = 0; i < session->model->header->node_count; i++) step(session, i);
  bnn_pool_rest(session->pool);
  bnn_float_restore(mode);
  end(session);
  return BNN_E_OK;
}

enum bnn_status bnn_session_profile(struct bnn_session *session, uint64_t (*meter)(void), uint64_t *spent,
                                    struct bnn_error *error) {
  BNN_TRY(inputs_are_set(session, error));
  if (meter == NULL) meter = bnn_clock_ns;
  begin(session);
  bnn_float_mode mode = bnn_float_flush();
  bnn_pool_wake(session->pool);
  for (uint32_t i = 0; i < session->model->header->node_count; i++) {
    uint64_t start = meter();
    step(session, i);
    spent[i] += meter() - start;
  }
  bnn_pool_rest(session->pool);
  bnn_float_restore(mode);
  end(session);
  return BNN_E_OK;
}
