/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a session, shared by the planner, the runner and the profiler. */
#ifndef BNN_RUNTIME_SESSION_H
#define BNN_RUNTIME_SESSION_H

#include "base/pool.h"
#include "runtime/keep.h"
#include "runtime/model.h"

/* Nodes that run together: what the first one wrote of a part of its output is read by the others while it is in the
 * cache. Most are alone. */
struct bnn_chain {
  uint32_t first, count;
  size_t units, grain;             /* what threads share */
  size_t step;                     /* units that go through all nodes at once */
  size_t first_units;              /* of the first node, in one unit of the chain */
  size_t elements;                 /* of the output of each node in one unit, or ... */
  const struct bnn_patches *bands; /* ... a unit is one of these bands */
  uint32_t channels;
};

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
  struct bnn_chain *chains;
  uint32_t chain_count;
  uint32_t *chain; /* of each call */
  uint32_t *root;         /* of each value: the value whose memory it uses */
  uint8_t *arena;
  uint64_t arena_bytes, live_bytes;
  bool first_step; /* ops that remember have nothing to remember yet */
};

/* Which calls run together. Fills chains and chain, after the calls are planned. */
void bnn_session_chain(struct bnn_session *session);

/* Where a unit of a chain begins in the output of its nodes, which are of one shape: in elements. */
size_t bnn_chain_element(const struct bnn_chain *chain, size_t unit);

/* Which values share memory and where it lies; allocates the arena. Fills root, arena and every computed value's data.
 */
enum bnn_status bnn_session_place(struct bnn_session *session, struct bnn_error *error);

#endif
