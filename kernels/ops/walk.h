/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over an output of up to six axes, row by row, and says where in each operand the row begins and how far apart
 * its elements lie there. Broadcasting, transposing and slicing are all walks that differ in their strides alone. */
#ifndef BNN_OPS_WALK_H
#define BNN_OPS_WALK_H

#include "runtime/op.h"

#define BNN_WALK_OPERANDS 3

struct bnn_walk {
  uint32_t rank, operands;
  size_t shape[BNN_MAX_RANK];
  size_t stride[BNN_WALK_OPERANDS][BNN_MAX_RANK]; /* in elements; 0 repeats */
  size_t base[BNN_WALK_OPERANDS];                 /* where the walk begins */
  bool adjacent; /* rows lie one after the other in every operand: several can be walked as one */
};

/* The strides of a dense tensor of this shape. */
void bnn_dense_strides(const uint32_t *shape, uint32_t rank, size_t *stride);

/* The shape in elements of 4 bytes: floats, or the words of bits (of all their planes). */
void bnn_word_shape(const struct bnn_value *value, uint32_t shape[BNN_MAX_RANK]);

/* The walk of NumPy broadcasting. A row is the channels of a pixel, unless broadcasting keeps longer or shorter ones. */
void bnn_walk_broadcast(struct bnn_walk *walk, const struct bnn_value *output, const struct bnn_value *const *operands,
                        uint32_t count);

/* Drops axes of size 1 and joins axes that are one in all operands, so that rows are long. One of many thousand elements is
 * cut into equal rows again: threads share rows, and what is done to a row twice finds it in the cache. Rank becomes at
 * least 1. */
void bnn_walk_join(struct bnn_walk *walk);

/* How many rows from `row` on, below `end`, can be walked as one that stays in the cache. */
size_t bnn_walk_together(const struct bnn_walk *walk, size_t row, size_t end);

static inline size_t bnn_walk_row_length(const struct bnn_walk *walk) { return walk->shape[walk->rank - 1]; }
size_t bnn_walk_rows(const struct bnn_walk *walk);

/* The plan of an op whose units are the rows of a walk ... */
void bnn_walk_units(const struct bnn_walk *walk, struct bnn_plan *plan);

/* ... of bnn_walk_broadcast: a row needs that row of the operands of its shape. */
static inline void bnn_walk_local(const struct bnn_walk *walk, struct bnn_plan *plan) {
  plan->unit_elements = bnn_walk_row_length(walk);
  plan->local = true;
}

/* offset[k]: where row `row` begins in operand k. */
void bnn_walk_row(const struct bnn_walk *walk, size_t row, size_t offset[BNN_WALK_OPERANDS]);

/* Keeps a walk as the state of an op whose units are its rows. */
enum bnn_status bnn_walk_plan(const struct bnn_call *call, struct bnn_plan *plan, const struct bnn_walk *walk,
                              struct bnn_error *error);

/* The run of an op that copies the rows of operand 0 one after the other: elements of 4 bytes, or the codes of int8. */
void bnn_walk_gather(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread);

#endif
