/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__arm__) && defined(__ARM_NEON)
#define NR 4
#define VECTORS 2
#include "igemm/pairs.h"
#include "igemm/tile.h"

void bnn_igemm_8x4_neon32(const struct bnn_igemm_tile *t) { band(t, 2, 4); }

#else
typedef int bnn_igemm_neon32_is_empty;
#endif
