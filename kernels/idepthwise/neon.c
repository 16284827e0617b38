/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__aarch64__)
#include "idepthwise/products.h"

#include "idepthwise/blocks.h"

void bnn_idepthwise_8x4_neon(const struct bnn_idepthwise_pixels *p) { pixels(p); }

#else
typedef int bnn_idepthwise_neon_is_empty;
#endif
