/* SPDX-License-Identifier: Apache-2.0 */
#include "bitpack/kernel.h"

void bnn_bitpack_1x32_scalar(BNN_BITPACK_ARGUMENTS) {
  for (size_t p = 0; p < pixels; p++)
    for (uint32_t first = 0; first < channels; first += 32) {
      const uint32_t count = channels - first < 32 ? channels - first : 32;
      uint32_t bits = 0;
      for (uint32_t i = 0; i < count; i++) bits |= (uint32_t)(*x++ < threshold[first + i]) << i;
      *y++ = bits ^ invert[first / 32];
    }
}
