/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__arm__) && defined(__ARM_NEON)
#include "bitpack/neon.h"

void bnn_bitpack_1x32_neon32(BNN_BITPACK_ARGUMENTS) { pack(x, y, pixels, channels, threshold, invert); }

#else
typedef int bnn_bitpack_neon32_is_empty;
#endif
