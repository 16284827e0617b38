/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__aarch64__)
#define NR 4
#define VECTORS 4
#include "igemm/pairs.h"
#include "igemm/tile.h"

void bnn_igemm_16x4_neon(const struct bnn_igemm_tile *t) { band(t, 4, 4); }
void bnn_igemm_8x4_neon(const struct bnn_igemm_tile *t) { band(t, 2, 4); }

#else
typedef int bnn_igemm_neon_is_empty;
#endif
