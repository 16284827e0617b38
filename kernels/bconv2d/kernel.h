/* SPDX-License-Identifier: Apache-2.0 */
/* What the bconv2d driver and its kernels agree on. */
#ifndef BNN_BCONV2D_KERNEL_H
#define BNN_BCONV2D_KERNEL_H

#include "bconv2d/bconv2d.h"

/* One output pixel of a band, as word offsets: where its patch starts in x, where its row of `base` starts. */
struct bnn_bconv2d_pixel {
  uint32_t patch, base;
};

/* The work of one kernel call: mr output channels at every pixel of a band.
 *
 * A patch is `rows` runs of run_words words, row_words apart. popcount sums the bits of x ^ w over a patch; the weights are
 * packed for the kernel's tile: for each row, chunks of kr words [kr words of channel 0][... of channel mr - 1], and where
 * the run does not fill its last chunk, one chunk of kr / 2 words a channel.
 *
 * f32 output:  y = clamp(clamp(base - 2 * popcount, clamp_lo, clamp_hi) * multiplier + bias, lo, hi), rounded after the
 *              product and after the sum, so that every kernel and the NumPy reference give the same float
 * bits output: bit = popcount >= (uint32_t)base */
struct bnn_bconv2d_tile {
  const uint32_t *x;
  const struct bnn_bconv2d_pixel *pixels;
  uint32_t pixel_count;
  uint32_t rows, row_words, run_words;
  const uint32_t *weights;
  const int32_t *base;
  const float *multiplier, *bias, *clamp_lo, *clamp_hi; /* the clamps are NULL where there are none */
  float lo, hi;
  enum bnn_bconv2d_output output;
  uint32_t channels; /* of the mr, those that exist; the tables go on to mr */
  unsigned char *y;  /* float: of the first channel; bits: the byte that the first channel starts */
  size_t y_step;     /* bytes from pixel to pixel */
};

typedef void bnn_bconv2d_tile_fn(const struct bnn_bconv2d_tile *tile);

struct bnn_bconv2d_kernel {
  struct bnn_kernel kernel;
  uint32_t mr, nr, kr;    /* channels (a multiple of 8), pixels and words that the inner loop takes at once */
  uint32_t run_limit;     /* the longest run in words that its accumulators hold; 0: any */
  bnn_bconv2d_tile_fn *run;
};

/* Runs are padded to whole granules. */
static inline uint32_t bnn_bconv2d_granule(const struct bnn_bconv2d_kernel *kernel) { return (kernel->kr + 1) / 2; }

#define BNN_BCONV2D(mr, nr, kr, run_limit, isa, ISA, TUNING) bnn_bconv2d_tile_fn bnn_bconv2d_##mr##x##nr##_##isa;
#include "bconv2d/kernels.inc"
#undef BNN_BCONV2D

#endif
