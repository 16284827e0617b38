/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "base/simd/avx2.h"
#include "lif/step.h"

TARGET void bnn_lif_1x8_avx2(const struct bnn_lif_row *row, float *y, uint32_t *words) { step(row, y, words); }

#else
typedef int bnn_lif_avx2_is_empty;
#endif
