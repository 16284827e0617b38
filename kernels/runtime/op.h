/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation is to the runtime. Each row of ops.def has one `const struct bnn_op bnn_op_<name>` in ops/<name>.c.
 */
#ifndef BNN_RUNTIME_OP_H
#define BNN_RUNTIME_OP_H

#include "base/family.h"
#include "base/patches.h"
#include "runtime/value.h"

/* One node with its operands. */
struct bnn_call {
  const struct bnn_op_row *row;
  const char *name;
  const void *params; /* struct bnn_<op>_params */
  uint32_t input_count;
  const struct bnn_value *const *inputs; /* NULL for an optional one that is absent */
  const struct bnn_value *output;
};

/* What an op asks of the session, and what it gets. */
struct bnn_plan {
  const struct bnn_select *select; /* which kernels may be chosen */
  struct bnn_keep *keep;
  /* the op's answers */
  const char *kernel;   /* static; the op's name where left NULL */
  size_t units;         /* run splits into this many independent pieces */
  size_t grain;         /* units worth waking a thread for; 0 counts as 1 */
  /* ... which part of the output a unit is, so that ops which follow can go over it while it is in the cache */
  size_t unit_elements;            /* a unit is so many elements, one unit after the other; 0: it is not */
  const struct bnn_patches *bands; /* or: equally many units, one after the other, are one of these bands */
  bool local; /* a unit reads, of an input of the output's shape, the elements that it writes and no others */
  void *state;          /* from bnn_plan_keep */
  size_t scratch_bytes; /* for each thread; nothing in it survives the run */
  size_t memory_bytes;  /* what survives it: the op finds there what it left in the run before */
  uint32_t in_place;    /* bit i: the output may overwrite input i, element by element */
  bool alias;           /* the output is input 0, byte by byte: nothing runs */
  /* the session's answer, before run */
  uint8_t *scratch;
  uint8_t *memory;        /* 64-byte aligned; holds nothing yet while *first_step */
  const bool *first_step; /* no run came before since the session was made or reset */
};

/* Zeroed memory, 64-byte aligned, that lives as long as the session; NULL when there is none left. For packed weights.
 */
void *bnn_plan_keep(struct bnn_plan *plan, size_t bytes);

/* The scratch of one thread, 64-byte aligned. */
static inline void *bnn_plan_scratch(const struct bnn_plan *plan, uint32_t thread) {
  return plan->scratch + (size_t)thread * plan->scratch_bytes;
}

struct bnn_op {
  /* Do dtypes, shapes and parameters fit together? The other two trust its yes. */
  enum bnn_status (*check)(const struct bnn_call *call, struct bnn_error *error);
  /* Chooses kernels, packs weights, says how the work splits. */
  enum bnn_status (*plan)(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error);
  /* Does the units [begin, end). Cannot fail, allocates nothing, and its result does not depend on the split. */
  void (*run)(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread);
};

struct bnn_op_row {
  uint32_t code;
  const char *name;
  uint32_t min_inputs, max_inputs, params_bytes;
  const struct bnn_op *op;
};

/* The row of ops.def with this code; NULL where there is none. */
const struct bnn_op_row *bnn_op_find(uint32_t code);

/* Input `index`, NULL where it is absent. */
static inline const struct bnn_value *bnn_input(const struct bnn_call *call, uint32_t index) {
  return index < call->input_count ? call->inputs[index] : NULL;
}

#endif
