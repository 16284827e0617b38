/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and border classes that planning, packing and running share. Private to the driver. */
#ifndef BNN_BCONV2D_LAYOUT_H
#define BNN_BCONV2D_LAYOUT_H

#include "bconv2d/kernel.h"

/* Bytes of one channel in the tables of `start` or `base`. */
static inline size_t bnn_bconv2d_entry(const struct bnn_bconv2d_plan *plan) {
  return plan->narrow ? plan->kernel->sum_bits / 8 : sizeof(int32_t);
}

/* Words that the kernel reads for each of a patch or a filter; words of a patch, as it reads them. */
static inline uint32_t bnn_bconv2d_parts(const struct bnn_bconv2d_plan *plan) {
  return plan->kernel->form == BNN_BCONV2D_NIBBLES ? 2 : 1;
}

static inline uint32_t bnn_bconv2d_words(const struct bnn_bconv2d_plan *plan) {
  return bnn_patches_words(&plan->patches) * bnn_bconv2d_parts(plan);
}

/* What all planes of a tensor count together. */
static inline int32_t bnn_bconv2d_worth(const struct bnn_bconv2d_planes *planes) {
  return planes->code == BNN_CODE_BINARY ? (1 << planes->count) - 1 : (int32_t)planes->count;
}

/* Several thresholds a channel: the kernel writes acc as a float, of which the index is found afterwards. */
static inline bool bnn_bconv2d_indexes(const struct bnn_bconv2d_problem *p) {
  return p->output == BNN_BCONV2D_BITS && (p->thresholds > 1 || p->y_planes.count > 1);
}

/* Its floats become int8 codes, once they are written aside. */
static inline bool bnn_bconv2d_codes(const struct bnn_bconv2d_problem *p) {
  return p->output == BNN_BCONV2D_F32 && p->code_scale > 0;
}

/* Bytes of an output pixel. */
size_t bnn_bconv2d_pixel_bytes(const struct bnn_bconv2d_problem *problem);

/* Where a tile's output belongs: `channels` of it, from `first` on, in the pixels that start at y. */
struct bnn_bconv2d_place {
  unsigned char *y;
  size_t y_step;
  uint32_t first, channels;
};

/* Takes a tile that was written aside to its place. Bits that start within a byte are added to zeros: see below. */
void bnn_bconv2d_put_floats(const struct bnn_bconv2d_tile *aside, const struct bnn_bconv2d_place *to);
void bnn_bconv2d_put_codes(const struct bnn_bconv2d_problem *problem, const struct bnn_bconv2d_tile *aside,
                           const struct bnn_bconv2d_place *to);
void bnn_bconv2d_put_bits(const struct bnn_bconv2d_tile *aside, const struct bnn_bconv2d_place *to);
/* thresholds: [problem->thresholds][step], of the tile's first channel; bits: room for a pixel of the tile. */
void bnn_bconv2d_put_index(const struct bnn_bconv2d_problem *problem, const struct bnn_bconv2d_tile *aside,
                           const int32_t *thresholds, size_t step, uint32_t mr, unsigned char *bits,
                           const struct bnn_bconv2d_place *to);

/* Zeroes in `pixels` pixels, in every plane, the bytes from `written` on. */
void bnn_bconv2d_clear(const struct bnn_bconv2d_problem *problem, unsigned char *y, size_t pixels, size_t written);

/* Groups whose bits start within a byte: their tiles are written aside and shifted into place. */
static inline bool bnn_bconv2d_scatters(const struct bnn_bconv2d_problem *p) {
  return p->output == BNN_BCONV2D_BITS && p->sizes.groups > 1 && p->sizes.filters / p->sizes.groups % 8;
}

/* Positions whose taps inside the image are the same form a class: a run of neighbours, since both ends of the taps inside
 * only move one way. Whether one begins at this position; with BNN_BORDER_ONE there is one class. */
bool bnn_bconv2d_starts_class(const struct bnn_bconv2d_plan *plan, const struct bnn_axis *axis, uint32_t position);

/* Whether a band needs another list of pixels than the one before it: a class starts somewhere in their rows. */
bool bnn_bconv2d_starts_list(const struct bnn_bconv2d_plan *plan, uint32_t band);

bool bnn_bconv2d_inside(const struct bnn_axis *axis, uint32_t position, uint32_t tap);

#endif
