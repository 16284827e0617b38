/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__aarch64__)
#include "base/simd/neon.h"
#include "lif/step.h"

TARGET void bnn_lif_1x4_neon(const struct bnn_lif_row *row, float *y, uint32_t *words) { step(row, y, words); }

#else
typedef int bnn_lif_neon_is_empty;
#endif
