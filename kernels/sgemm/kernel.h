/* SPDX-License-Identifier: Apache-2.0 */
/* What the conv2d driver and the sgemm kernels agree on. */
#ifndef BNN_SGEMM_KERNEL_H
#define BNN_SGEMM_KERNEL_H

#include "sgemm/conv2d.h"

/* The work of one kernel call: mr output channels at every pixel of a band.
 *
 * A patch is `runs` runs of run_words floats, between_runs apart; weights are [runs][run_words][mr].
 * y = clamp(sum of x * w + bias, lo, hi). */
struct bnn_sgemm_tile {
  const float *x;
  const uint32_t *patches; /* where each pixel's patch starts in x */
  uint32_t pixel_count;
  uint32_t runs, run_words, between_runs;
  const float *weights, *bias;
  float lo, hi;
  float *y; /* mr floats of each pixel are written, whether or not so many channels exist */
  size_t y_step; /* floats from pixel to pixel */
};

typedef void bnn_sgemm_tile_fn(const struct bnn_sgemm_tile *tile);

struct bnn_sgemm_kernel {
  struct bnn_kernel kernel;
  uint32_t mr, nr; /* channels and pixels that the inner loop takes at once */
  bnn_sgemm_tile_fn *run;
};

#define BNN_SGEMM(mr, nr, isa, ISA, TUNING) bnn_sgemm_tile_fn bnn_sgemm_##mr##x##nr##_##isa;
#include "sgemm/kernels.inc"
#undef BNN_SGEMM

#endif
