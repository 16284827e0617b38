/* SPDX-License-Identifier: Apache-2.0 */
#include "bitpack/tail.h"

void bnn_bitpack_1x32_scalar(BNN_BITPACK_ARGUMENTS) {
  for (size_t p = 0; p < pixels; p++)
    for (uint32_t c = 0; c < channels; c += 32) {
      const uint32_t count = channels - c < 32 ? channels - c : 32;
      *y++ = bnn_bitpack_tail(x, threshold + c, count) ^ invert[c / 32];
      x += count;
    }
}
