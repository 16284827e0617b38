/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BNN_BITPACK_TAIL_H
#define BNN_BITPACK_TAIL_H

#include "bitpack/kernel.h"

/* The bits of fewer than 32 channels, one at a time: the last word of a pixel must not read beyond it. */
static inline uint32_t bnn_bitpack_tail(const float *x, const float *threshold, uint32_t count) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < count; i++) bits |= (uint32_t)(x[i] < threshold[i]) << i;
  return bits;
}

#endif
