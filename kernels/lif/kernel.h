/* SPDX-License-Identifier: Apache-2.0 */
/* What the lif driver and its kernels agree on. */
#ifndef BNN_LIF_KERNEL_H
#define BNN_LIF_KERNEL_H

#include "lif/lif.h"

/* The step of n neurons that stand beside each other, each with its own constants. */
struct bnn_lif_row {
  const struct bnn_lif_params *params;
  bool leaks; /* where false, decay, gain and offset do nothing */
  size_t n;
  const float *constant[BNN_LIF_CONSTANTS];
  const float *x;
  float *v;
};

/* Writes spikes, counts or membranes to y; or, where words is not NULL, spikes as bits, 32 to a word. */
typedef void bnn_lif_fn(const struct bnn_lif_row *row, float *y, uint32_t *words);

struct bnn_lif_kernel {
  struct bnn_kernel kernel;
  bnn_lif_fn *run;
};

#define BNN_LIF(mr, nr, isa, ISA, TUNING) bnn_lif_fn bnn_lif_##mr##x##nr##_##isa;
#include "lif/kernels.inc"
#undef BNN_LIF

#endif
