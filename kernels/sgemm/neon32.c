/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__arm__) && defined(__ARM_NEON)
#include "base/simd/neon.h"
#include "sgemm/tile.h"

void bnn_sgemm_8x4_neon32(const struct bnn_sgemm_tile *t) { band(t, 2, 4); }

#else
typedef int bnn_sgemm_neon32_is_empty;
#endif
