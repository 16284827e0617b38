/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/walk.h"

#include <string.h>

#include "ops/loops.h"

void bnn_dense_strides(const uint32_t *shape, uint32_t rank, size_t *stride) {
  size_t step = 1;
  for (uint32_t axis = rank; axis-- > 0; step *= shape[axis]) stride[axis] = step;
}

void bnn_word_shape(const struct bnn_value *value, uint32_t shape[BNN_MAX_RANK]) {
  memcpy(shape, value->shape, sizeof value->shape);
  if (value->dtype == BNN_BITS) shape[value->rank - 1] = bnn_words(shape[value->rank - 1]) * value->planes;
}

static bool joins(const struct bnn_walk *walk, uint32_t outer, uint32_t inner) {
  for (uint32_t k = 0; k < walk->operands; k++) {
    if (walk->stride[k][outer] != walk->stride[k][inner] * walk->shape[inner]) return false;
  }
  return true;
}

static void move_axis(struct bnn_walk *walk, uint32_t to, uint32_t from) {
  walk->shape[to] = walk->shape[from];
  for (uint32_t k = 0; k < walk->operands; k++) walk->stride[k][to] = walk->stride[k][from];
}

static void cut_rows(struct bnn_walk *walk, size_t piece) {
  const uint32_t last = walk->rank - 1;
  move_axis(walk, walk->rank++, last);
  walk->shape[last] /= piece;
  walk->shape[last + 1] = piece;
  for (uint32_t k = 0; k < walk->operands; k++) walk->stride[k][last] *= piece;
}

static void join_axes(struct bnn_walk *walk) {
  uint32_t kept = 0;
  for (uint32_t axis = 0; axis < walk->rank; axis++) {
    if (walk->shape[axis] == 1) continue;
    if (kept > 0 && joins(walk, kept - 1, axis)) {
      size_t outer = walk->shape[kept - 1];
      move_axis(walk, kept - 1, axis);
      walk->shape[kept - 1] *= outer;
    } else {
      move_axis(walk, kept++, axis);
    }
  }
  if (kept == 0) {
    walk->shape[0] = 1;
    for (uint32_t k = 0; k < walk->operands; k++) walk->stride[k][0] = 1;
    kept = 1;
  }
  walk->rank = kept;
}

enum { LONG_ROW = 4096, SHORT_ROW = 256 };

void bnn_walk_join(struct bnn_walk *walk) {
  join_axes(walk);
  const size_t n = bnn_walk_row_length(walk);
  if (n <= LONG_ROW || walk->rank == BNN_MAX_RANK) return;
  size_t piece = LONG_ROW;
  while (n % piece) piece--;
  if (piece >= SHORT_ROW) cut_rows(walk, piece);
}

void bnn_walk_broadcast(struct bnn_walk *walk, const struct bnn_value *output, const struct bnn_value *const *operands,
                        uint32_t count) {
  *walk = (struct bnn_walk){.rank = output->rank, .operands = count};
  for (uint32_t axis = 0; axis < output->rank; axis++) walk->shape[axis] = output->shape[axis];
  for (uint32_t k = 0; k < count; k++) {
    const struct bnn_value *operand = operands[k];
    uint32_t missing = output->rank - operand->rank;
    bnn_dense_strides(operand->shape, operand->rank, walk->stride[k] + missing);
    for (uint32_t axis = 0; axis < operand->rank; axis++) {
      if (operand->shape[axis] == 1) walk->stride[k][axis + missing] = 0;
    }
  }
  join_axes(walk);
  const size_t channels = output->rank ? output->shape[output->rank - 1] : 1;
  if (walk->rank > 1 || walk->shape[0] == channels) return;
  cut_rows(walk, channels);
  walk->adjacent = true;
}

size_t bnn_walk_together(const struct bnn_walk *walk, size_t row, size_t end) {
  const size_t n = bnn_walk_row_length(walk), rows = walk->adjacent && n < LONG_ROW ? LONG_ROW / n : 1;
  return rows < end - row ? rows : end - row;
}

size_t bnn_walk_rows(const struct bnn_walk *walk) {
  size_t rows = 1;
  for (uint32_t axis = 0; axis + 1 < walk->rank; axis++) rows *= walk->shape[axis];
  return rows;
}

void bnn_walk_units(const struct bnn_walk *walk, struct bnn_plan *plan) {
  plan->units = bnn_walk_rows(walk);
  plan->grain = bnn_grain(bnn_walk_row_length(walk));
}

void bnn_walk_row(const struct bnn_walk *walk, size_t row, size_t offset[BNN_WALK_OPERANDS]) {
  memcpy(offset, walk->base, sizeof walk->base);
  for (uint32_t axis = walk->rank - 1; axis-- > 0;) {
    size_t index = row % walk->shape[axis];
    row /= walk->shape[axis];
    for (uint32_t k = 0; k < walk->operands; k++) offset[k] += index * walk->stride[k][axis];
  }
}

/* One row of n elements, `step` apart. */
static void gather_words(uint32_t *to, const uint32_t *from, size_t step, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = from[i * step];
}

static void gather_codes(int8_t *to, const int8_t *from, size_t step, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = from[i * step];
}

enum bnn_status bnn_walk_plan(const struct bnn_call *call, struct bnn_plan *plan, const struct bnn_walk *walk,
                              struct bnn_error *error) {
  struct bnn_walk *kept = plan->state = bnn_plan_keep(plan, sizeof *kept);
  if (kept == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  *kept = *walk;
  bnn_walk_units(walk, plan);
  return BNN_E_OK;
}

void bnn_walk_gather(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct bnn_walk *walk = plan->state;
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  size_t n = bnn_walk_row_length(walk), step = walk->stride[0][walk->rank - 1];
  size_t bytes = x->dtype == BNN_I8 ? sizeof(int8_t) : sizeof(uint32_t);
  for (size_t row = begin; row < end; row++) {
    size_t at[BNN_WALK_OPERANDS];
    bnn_walk_row(walk, row, at);
    const void *from = (const uint8_t *)x->data + at[0] * bytes;
    void *to = (uint8_t *)y->data + row * n * bytes;
    if (step == 1) {
      memcpy(to, from, n * bytes);
    } else if (bytes == sizeof(uint32_t)) {
      gather_words(to, from, step, n);
    } else {
      gather_codes(to, from, step, n);
    }
  }
}
