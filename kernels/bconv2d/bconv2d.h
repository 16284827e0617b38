/* SPDX-License-Identifier: Apache-2.0 */
/* bconv2d: convolution of bits with bits, or of bit planes; a binary dense layer is the 1x1 case.
 *
 * acc = sum over planes, taps and channels of x * w, x and w in {-1, +1}; see struct bnn_bconv2d_params for the two outputs.
 * The convolution is direct: there is no im2col matrix. Plan once, pack the weights once, then run any range of units from
 * any number of threads; results do not depend on how the range is split. */
#ifndef BNN_BCONV2D_BCONV2D_H
#define BNN_BCONV2D_BCONV2D_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/family.h"
#include "base/tiles.h"
#include "bnn/format.h"

enum bnn_bconv2d_output { BNN_BCONV2D_F32, BNN_BCONV2D_BITS };

/* Planes of a tensor of bits and what they are worth. */
struct bnn_bconv2d_planes {
  uint32_t count; /* 0 counts as 1 */
  enum bnn_code code;
};

struct bnn_bconv2d_problem {
  struct bnn_convolution sizes;
  enum bnn_border border;
  enum bnn_bconv2d_output output;
  float lo, hi; /* -inf, +inf where there is no activation */
  float code_scale; /* f32 output: above 0, its numbers are written as int8 codes of this scale and zero point */
  int32_t code_zero;
  struct bnn_bconv2d_planes x_planes, w_planes, y_planes; /* y_planes: bits output */
  uint32_t thresholds;                                    /* a channel, bits output; 0 counts as 1 */
};

/* The constants as the file holds them; NULL where absent (multiplier 1, bias 0, no clamp). */
struct bnn_bconv2d_weights {
  const uint32_t *filter; /* [filters][kernel_h][kernel_w][planes][ceil(channels / groups / 32)], tail bits zero */
  const float *multiplier, *bias;     /* f32 output */
  const int32_t *clamp_lo, *clamp_hi; /* f32 output */
  const int32_t *threshold;           /* bits output: [thresholds][filters], index = how many are greater than acc */
};

/* Sizes that follow from the problem and the kernel. */
struct bnn_bconv2d_layout {
  uint32_t group_channels, group_words; /* of the input */
  uint32_t group_padded, filters_padded; /* of the output, with channels that fill tiles up */
  size_t plane_words, tile_words; /* of packed weights: a tile's plane, all its planes */
  size_t list_bytes;       /* of the pixels of a band */
  /* Byte offsets in the packed weights: `start` or `base` by class and channel; lists of pixels; the list of each
   * band; passes; tables by channel. */
  size_t rows, pixels, lists, passes, thresholds, multiplier, bias, clamp_lo, clamp_hi, end;
};

/* Byte offsets in a thread's scratch. */
struct bnn_bconv2d_scratch {
  size_t patches; /* of a band, laid out, plane after plane */
  size_t split;   /* the same with each word taken apart, for kernels that want it */
  size_t aside;   /* a tile's output, where not all of its channels exist, its bits start within a byte or are yet to come */
  size_t bits;    /* of a pixel of a tile, plane after plane */
  size_t end;
};

struct bnn_bconv2d_plan {
  struct bnn_bconv2d_problem problem;
  const struct bnn_bconv2d_kernel *kernel;
  size_t packed_bytes;  /* 64-byte aligned */
  size_t scratch_bytes; /* one for each thread, 64-byte aligned; contents need not survive between runs */
  size_t units;         /* run splits into this many pieces: those of `tiles`, or all of a band's */
  struct bnn_patches patches;
  struct bnn_tiles tiles;
  struct bnn_bconv2d_layout layout;
  struct bnn_bconv2d_scratch scratch;
  uint32_t passes;              /* pairs of planes */
  uint32_t classes_y, classes_x; /* of the border: see pack.c */
  uint32_t lists;                /* of pixels: bands whose rows have the same classes share one */
  bool clamped;
  bool narrow; /* sums fit 16 bits: see struct bnn_bconv2d_tile */
};

/* The window must have been validated: strides, dilations and kernel at least 1, the output's size that of the window; and
 * so must the planes: sums fit 32 bits, indices the planes of y. clamped: the weights will have clamp_lo or clamp_hi. False:
 * the kernel forced for this family is not for this CPU, or several thresholds meet sums beyond 24 bits. */
bool bnn_bconv2d_plan(struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_problem *problem, bool clamped,
                      const struct bnn_select *select);

void bnn_bconv2d_pack(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_weights *weights, void *packed);

/* x: words [batch][in_h][in_w][planes][ceil(channels / 32)].
 * y: float or int8 [batch][out_h][out_w][filters], or words [batch][out_h][out_w][planes][ceil(filters / 32)], tail bits zero. */
void bnn_bconv2d_run(const struct bnn_bconv2d_plan *plan, const void *packed, const uint32_t *x, void *y, void *scratch,
                     size_t begin, size_t end);

const char *bnn_bconv2d_kernel_name(const struct bnn_bconv2d_plan *plan);

#endif
