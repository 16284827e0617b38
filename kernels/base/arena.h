/* SPDX-License-Identifier: Apache-2.0 */
/* Places buffers whose lifetimes are known into one block of memory, so that those which never live at the same time
 * share bytes. */
#ifndef BNN_BASE_ARENA_H
#define BNN_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct bnn_span {
  size_t bytes;
  uint32_t first, last; /* steps, both included, in which it holds something */
  uint64_t offset;      /* the answer: a multiple of BNN_ALIGN */
};

/* Sets every offset. *total: bytes of the block. *live: the most that lives in one step, which no plan can beat. */
enum bnn_status bnn_arena_plan(struct bnn_span *spans, size_t count, uint64_t *total, uint64_t *live,
                               struct bnn_error *error);

#endif
