/* SPDX-License-Identifier: Apache-2.0 */
/* What the depthwise driver and its kernels agree on. */
#ifndef BNN_DEPTHWISE_KERNEL_H
#define BNN_DEPTHWISE_KERNEL_H

#include "depthwise/depthwise.h"

/* The work of one kernel call: every channel of every pixel of a band. Tap (r, k) of a patch lies at r * between_rows +
 * k * channels; weights are [rows][taps][padded], bias [padded], `padded` being channels rounded up to a multiple of mr.
 * y = clamp(sum of x * w + bias, lo, hi). */
struct bnn_depthwise_band {
  const float *x;
  const uint32_t *patches; /* where each pixel's patch starts in x */
  uint32_t pixel_count;
  uint32_t rows, taps, between_rows, channels, padded;
  const float *weights, *bias;
  float lo, hi;
  float *y; /* [pixel_count][channels] */
};

typedef void bnn_depthwise_fn(const struct bnn_depthwise_band *band);

struct bnn_depthwise_kernel {
  struct bnn_kernel kernel;
  uint32_t mr;
  bnn_depthwise_fn *run;
};

#define BNN_DEPTHWISE(mr, nr, isa, ISA, TUNING) bnn_depthwise_fn bnn_depthwise_##mr##x##nr##_##isa;
#include "depthwise/kernels.inc"
#undef BNN_DEPTHWISE

#endif
