/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a session, shared by the planner, the runner and the profiler. */
#ifndef BNN_RUNTIME_SESSION_H
#define BNN_RUNTIME_SESSION_H

#include "base/pool.h"
#include "runtime/keep.h"
#include "runtime/model.h"

struct bnn_session {
  const struct bnn_model *model;
  struct bnn_pool *pool;
  struct bnn_select select;
  char *forced; /* what select.forced points into */
  struct bnn_keep keep;
  /* copies of the model's, so that data can be filled in; calls point to these values */
  struct bnn_value *values;
  const struct bnn_value **operands;
  struct bnn_call *calls;
  struct bnn_plan *plans; /* one a call */
  uint32_t *root;         /* of each value: the value whose memory it uses */
  uint8_t *arena;
  uint64_t arena_bytes, live_bytes;
  bool first_step; /* ops that remember have nothing to remember yet */
};

/* Which values share memory and where it lies; allocates the arena. Fills root, arena and every computed value's data.
 */
enum bnn_status bnn_session_place(struct bnn_session *session, struct bnn_error *error);

#endif
