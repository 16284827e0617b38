/* SPDX-License-Identifier: Apache-2.0 */
/* How convolutions read their input without an im2col matrix: the input rows that a band of output rows needs are laid out
 * so that a patch is a few contiguous runs of words, and neighbouring patches share what they overlap.
 *
 * A word is 32 bits: a float, or 32 channels of bits. There are four layouts:
 *   in place  nothing is copied: no padding, and taps that touch
 *   rows      a copy of the input rows with their borders: a patch is one run for each kernel row
 *   columns   for each output row, a copy of the kernel_h input rows it reads, column by column: a patch is one run, in the
 *             order [kernel column][kernel row][channel]. Rows are copied kernel_h times, which pays where the words of a
 *             patch are few, as with bits
 *   parity    rows, and after them the XOR of the three that each output row reads, in place of the last: a patch is three runs
 * All copies hold one group's channels alone, and a dilated window's columns x, x + d, x + 2d ... side by side, so that
 * taps touch there too. */
#ifndef BNN_BASE_PATCHES_H
#define BNN_BASE_PATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/convolution.h"

enum bnn_layout { BNN_IN_PLACE, BNN_ROWS, BNN_COLUMNS, BNN_PARITY };

struct bnn_patches {
  struct bnn_window window;
  uint32_t batch, in_h, in_w, out_h, out_w;
  uint32_t pixel_words; /* of the input tensor */
  uint32_t group_words; /* what one group reads of a pixel */
  uint32_t fill;        /* the word that stands for the border */
  /* What bnn_patches_plan decides. */
  enum bnn_layout layout;
  uint32_t runs, run_words;   /* of a patch */
  uint32_t between_runs;      /* words from one to the next */
  uint32_t parity;            /* BNN_PARITY: words from the first run to the last; else 0 */
  uint32_t step, line;        /* words from a column to the next; from an output row to the next */
  uint32_t period;            /* columns of one residue of the dilation */
  uint32_t band_rows, bands;  /* output rows of a band; bands of an image */
};

/* One axis of the window over the image. */
struct bnn_axis {
  uint32_t kernel, stride, dilation, pad, in, out;
};

struct bnn_axis bnn_axis_y(const struct bnn_patches *patches);
struct bnn_axis bnn_axis_x(const struct bnn_patches *patches);

/* Image coordinate of tap 0 at an output position. */
int64_t bnn_axis_origin(const struct bnn_axis *axis, uint32_t position);

/* Input positions from the first to the last that `count` output positions read. */
uint32_t bnn_axis_span(const struct bnn_axis *axis, uint32_t count);

/* The patches of a convolution, still to be planned; the border is 0. */
static inline struct bnn_patches bnn_patches_of(const struct bnn_convolution *c, uint32_t pixel_words, uint32_t group_words) {
  return (struct bnn_patches){c->window, c->batch, c->in_h, c->in_w, c->out_h, c->out_w,
                              .pixel_words = pixel_words, .group_words = group_words};
}

/* A band of one image, as one group sees it. */
struct bnn_band {
  uint32_t image, group;
  uint32_t begin, end; /* output rows */
};

/* The first output pixel of a band, all images in one row; of the band after the last, their number. */
size_t bnn_patches_pixel(const struct bnn_patches *patches, size_t index);

/* Decides the layout: in place, or the one given; BNN_PARITY is for windows of three rows. The first fields are set already; a
 * window of 1x1 without padding and stride becomes one column of pixels, whatever the image was. Bands get about
 * `band_pixels` output pixels, if possible a multiple of `nr`, the pixels that a kernel takes at once. */
void bnn_patches_plan(struct bnn_patches *patches, enum bnn_layout layout, uint32_t band_pixels, uint32_t nr);

/* Bytes that bnn_patches_lay_out needs for its copy. */
size_t bnn_patches_bytes(const struct bnn_patches *patches);

/* Band `index` of batch * bands, for one group. */
struct bnn_band bnn_patches_band(const struct bnn_patches *patches, size_t index, uint32_t group);

/* Columns of a laid out row that belong to one residue of the dilation: `left` of the border, `inside` of the image from
 * column `first` on, each a dilation further, and `right` of the border again: a period in all. */
struct bnn_residue {
  uint32_t left, inside, right, first;
};

/* border: the whole row is. */
struct bnn_residue bnn_patches_residue(const struct bnn_patches *patches, uint32_t residue, bool border);

/* Lays the rows of a band out, in `copy` where they cannot stay in place; returns where the offsets of patches count from. */
const uint32_t *bnn_patches_lay_out(const struct bnn_patches *patches, const struct bnn_band *band, const uint32_t *x,
                                    uint32_t *copy);

/* Word offset of the patch of an output column in the band's first row; the row after it is `line` further on. */
static inline uint32_t bnn_patches_column(const struct bnn_patches *patches, uint32_t x) {
  const uint32_t at = x * patches->window.stride_w, dilation = patches->window.dilation_w;
  return (dilation == 1 ? at : at % dilation * patches->period + at / dilation) * patches->step;
}

/* Words of a patch. */
static inline uint32_t bnn_patches_words(const struct bnn_patches *patches) { return patches->runs * patches->run_words; }

/* Words from the first patch of a band of so many rows to the end of its last. */
uint32_t bnn_patches_extent(const struct bnn_patches *patches, uint32_t rows);

/* Writes the offset of every patch of a whole band, band_rows * out_w of them; they are the same for all bands. */
void bnn_patches_list(const struct bnn_patches *patches, uint32_t *offsets);

#endif
