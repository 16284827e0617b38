/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__aarch64__)
#include "base/simd/neon.h"
#include "sgemm/tile.h"

void bnn_sgemm_8x8_neon(const struct bnn_sgemm_tile *t) { band(t, 2, 8); }

#else
typedef int bnn_sgemm_neon_is_empty;
#endif
