/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "base/simd/avx2.h"
#include "sgemm/tile.h"

TARGET void bnn_sgemm_16x6_avx2(const struct bnn_sgemm_tile *t) { band(t, 2, 6); }
TARGET void bnn_sgemm_8x12_avx2(const struct bnn_sgemm_tile *t) { band(t, 1, 12); }

#else
typedef int bnn_sgemm_avx2_is_empty;
#endif
