/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "base/simd/avx2.h"
#define VECTORS 2
#define NR 4
#include "depthwise/band.h"

TARGET void bnn_depthwise_16x4_avx2(const struct bnn_depthwise_band *b) { band(b); }

#else
typedef int bnn_depthwise_avx2_is_empty;
#endif
