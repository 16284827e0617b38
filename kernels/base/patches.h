/* SPDX-License-Identifier: Apache-2.0 */
/* How convolutions read their input without an im2col matrix: the input rows that a band of output rows needs lie so that
 * every patch is one contiguous run of words for each kernel row, and neighbouring patches share what they overlap.
 *
 * A word is 32 bits: a float, or 32 channels of bits. Rows lie in one of three ways:
 *   in place   no padding: the caller's tensor itself
 *   padded     a copy with its left and right border; pixels overlap, the stride is a step between patches
 *   unfolded   a copy that holds, for each output column, its run, padded to a whole number of granules: where taps do
 *              not touch (dilation, groups), or runs are not whole granules
 * Rows above and below the image are rows of fill words in the copy. */
#ifndef BNN_BASE_PATCHES_H
#define BNN_BASE_PATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bnn/format.h"

enum bnn_rows { BNN_ROWS_IN_PLACE, BNN_ROWS_PADDED, BNN_ROWS_UNFOLDED };

struct bnn_patches {
  struct bnn_window window;
  uint32_t batch, in_h, in_w, out_h, out_w;
  uint32_t groups;
  uint32_t pixel_words; /* of the input tensor */
  uint32_t group_words; /* what one group reads of a pixel */
  uint32_t fill;        /* the word that stands for the border */
  /* What bnn_patches_plan decides. */
  enum bnn_rows rows;
  uint32_t run_words;   /* of a patch in one row */
  uint32_t patch_words; /* from one patch to the next */
  uint32_t row_words;   /* from one input row to the next */
  uint32_t band_rows, bands; /* output rows of a band; bands of an image */
};

/* One axis of the window over the image. */
struct bnn_axis {
  uint32_t kernel, stride, dilation, pad, in, out;
};

struct bnn_axis bnn_axis_y(const struct bnn_patches *patches);
struct bnn_axis bnn_axis_x(const struct bnn_patches *patches);

/* Image coordinate of tap 0 at an output position. */
int64_t bnn_axis_origin(const struct bnn_axis *axis, uint32_t position);

/* A band of one image, as one group sees it. */
struct bnn_band {
  uint32_t image, group;
  uint32_t begin, end; /* output rows */
};

/* Decides the layout. The first group of fields is given; a window of 1x1 without padding and stride becomes one column of
 * pixels, whatever the image was. Bands get about `band_pixels` output pixels. */
void bnn_patches_plan(struct bnn_patches *patches, uint32_t granule, uint32_t band_pixels);

/* Bytes that bnn_patches_lay_out needs for its copy. */
size_t bnn_patches_bytes(const struct bnn_patches *patches);

/* Band `index` of batch * bands, for one group. */
struct bnn_band bnn_patches_band(const struct bnn_patches *patches, size_t index, uint32_t group);

/* Lays the rows of a band out, in `copy` where they cannot stay in place; returns the first patch. */
const uint32_t *bnn_patches_lay_out(const struct bnn_patches *patches, const struct bnn_band *band, const uint32_t *x,
                                    uint32_t *copy);

/* Writes where each pixel's patch starts, from the first on, in words; returns how many pixels the band has. */
uint32_t bnn_patches_list(const struct bnn_patches *patches, const struct bnn_band *band, uint32_t *starts);

#endif
