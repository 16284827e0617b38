/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__arm__) && defined(__ARM_NEON)
#include "base/simd/neon.h"
#define VECTORS 2
#define NR 4
#include "depthwise/band.h"

TARGET void bnn_depthwise_8x4_neon32(const struct bnn_depthwise_band *b) { band(b); }

#else
typedef int bnn_depthwise_neon32_is_empty;
#endif
