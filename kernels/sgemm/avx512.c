/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "base/simd/avx512.h"
#include "sgemm/tile.h"

TARGET void bnn_sgemm_16x16_avx512(const struct bnn_sgemm_tile *t) { band(t, 1, 16); }

#else
typedef int bnn_sgemm_avx512_is_empty;
#endif
