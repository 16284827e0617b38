/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__aarch64__)
#include "bitpack/neon.h"

void bnn_bitpack_1x32_neon(BNN_BITPACK_ARGUMENTS) { pack(x, y, pixels, channels, threshold, invert); }

#else
typedef int bnn_bitpack_neon_is_empty;
#endif
