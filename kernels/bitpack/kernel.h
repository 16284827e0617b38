/* SPDX-License-Identifier: Apache-2.0 */
/* What the bitpack driver and its kernels agree on. */
#ifndef BNN_BITPACK_KERNEL_H
#define BNN_BITPACK_KERNEL_H

#include "bitpack/bitpack.h"

/* bit = (x < threshold) ^ invert for `pixels` pixels of `channels` floats. threshold goes on to whole words; there
 * threshold and invert are such that what lies beyond the last channel does not matter: the kernel masks it. */
#define BNN_BITPACK_ARGUMENTS \
  const float *x, uint32_t *y, size_t pixels, uint32_t channels, const float *threshold, const uint32_t *invert

typedef void bnn_bitpack_fn(BNN_BITPACK_ARGUMENTS);

struct bnn_bitpack_kernel {
  struct bnn_kernel kernel;
  bnn_bitpack_fn *run;
};

#define BNN_BITPACK(mr, nr, isa, ISA, TUNING) bnn_bitpack_fn bnn_bitpack_##mr##x##nr##_##isa;
#include "bitpack/kernels.inc"
#undef BNN_BITPACK

#endif
