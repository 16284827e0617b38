/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "base/simd/avx512.h"
#define VECTORS 2
#define NR 4
#include "depthwise/band.h"

TARGET void bnn_depthwise_32x4_avx512(const struct bnn_depthwise_band *b) { band(b); }

#else
typedef int bnn_depthwise_avx512_is_empty;
#endif
