/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>

static uint64_t aligned(size_t bytes) { return ((uint64_t)bytes + BNN_ALIGN - 1) / BNN_ALIGN * BNN_ALIGN; }

static int larger_first(const void *a, const void *b) {
  const struct bnn_span *p = *(struct bnn_span *const *)a, *q = *(struct bnn_span *const *)b;
  if (p->bytes != q->bytes) return p->bytes < q->bytes ? 1 : -1;
  return p->first < q->first ? -1 : p->first > q->first;
}

static uint64_t largest_step(const struct bnn_span *spans, size_t count, int64_t *change, uint32_t steps) {
  for (size_t i = 0; i < count; i++) {
    change[spans[i].first] += (int64_t)aligned(spans[i].bytes);
    change[spans[i].last + 1] -= (int64_t)aligned(spans[i].bytes);
  }
  int64_t now = 0, most = 0;
  for (uint32_t step = 0; step < steps; step++) {
    now += change[step];
    if (now > most) most = now;
  }
  return (uint64_t)most;
}

/* Greedy by size: the largest buffer first, each into the smallest gap that holds it between those of its own time
 * (Y. Pisarchyk and J. Lee, "Efficient memory management for deep neural net inference", 2020: within a few percent of
 * the bound). `placed` is kept in the order of offsets. */
static void place(struct bnn_span *span, struct bnn_span **placed, size_t count) {
  uint64_t end = 0, best = UINT64_MAX, best_size = UINT64_MAX, need = aligned(span->bytes);
  for (size_t i = 0; i < count; i++) {
    const struct bnn_span *other = placed[i];
    if (other->last < span->first || span->last < other->first) continue;
    if (other->offset >= end + need && other->offset - end < best_size) {
      best = end;
      best_size = other->offset - end;
    }
    uint64_t other_end = other->offset + aligned(other->bytes);
    if (other_end > end) end = other_end;
  }
  span->offset = best == UINT64_MAX ? end : best;
}

enum bnn_status bnn_arena_plan(struct bnn_span *spans, size_t count, uint64_t *total, uint64_t *live,
                               struct bnn_error *error) {
  uint32_t steps = 1;
  for (size_t i = 0; i < count; i++) {
    if (spans[i].last >= steps) steps = spans[i].last + 1;
  }
  struct bnn_span **order = malloc((count + 1) * sizeof(struct bnn_span *)),
                  **placed = malloc((count + 1) * sizeof(struct bnn_span *));
  int64_t *change = calloc((size_t)steps + 1, sizeof *change);
  enum bnn_status status = BNN_E_OK;
  if (order == NULL || placed == NULL || change == NULL) {
    status = bnn_fail(error, BNN_E_MEMORY, "no memory to plan the arena");
  } else {
    *live = largest_step(spans, count, change, steps);
    *total = 0;
    for (size_t i = 0; i < count; i++) order[i] = &spans[i];
    qsort(order, count, sizeof *order, larger_first);
    for (size_t i = 0; i < count; i++) {
      place(order[i], placed, i);
      size_t at = i;
      for (; at > 0 && placed[at - 1]->offset > order[i]->offset; at--) placed[at] = placed[at - 1];
      placed[at] = order[i];
      uint64_t end = order[i]->offset + aligned(order[i]->bytes);
      if (end > *total) *total = end;
    }
  }
  free(order);
  free(placed);
  free(change);
  return status;
}
