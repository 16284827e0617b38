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
 * A patch is one run of run_words words; popcount sums the bits of x ^ w over it. Weights are packed for the kernel's tile
 * in chunks of kr words: [kr words of channel 0] ... [kr words of channel mr - 1]; what is left of the run follows in chunks
 * of kr / 2, kr / 4 ... words.
 *
 * f32 output:  y = clamp(clamp(base - 2 * popcount, clamp_lo, clamp_hi) * multiplier + bias, lo, hi), rounded after the
 *              product and after the sum, so that every kernel and the NumPy reference give the same float
 * bits output: bit = popcount >= (uint32_t)base */
struct bnn_bconv2d_tile {
  const uint32_t *x;
  const struct bnn_bconv2d_pixel *pixels;
  uint32_t pixel_count;
  uint32_t run_words;
  const uint32_t *weights;
  const int32_t *base;
  const float *multiplier, *bias, *clamp_lo, *clamp_hi; /* the clamps are NULL where there are none */
  float lo, hi;
  enum bnn_bconv2d_output output;
  unsigned char *y; /* mr floats or mr bits of each pixel are written, whether or not so many channels exist */
  size_t y_step;    /* bytes from pixel to pixel */
};

typedef void bnn_bconv2d_tile_fn(const struct bnn_bconv2d_tile *tile);

struct bnn_bconv2d_kernel {
  struct bnn_kernel kernel;
  uint32_t mr, nr, kr; /* channels (a multiple of 8), pixels and words (a power of 2) that the inner loop takes at once */
  bnn_bconv2d_tile_fn *run;
};

#define BNN_BCONV2D(mr, nr, kr, isa, ISA, TUNING) bnn_bconv2d_tile_fn bnn_bconv2d_##mr##x##nr##_##isa;
#include "bconv2d/kernels.inc"
#undef BNN_BCONV2D

#endif
