/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__arm__) && defined(__ARM_NEON)
#include "idepthwise/products.h"

#include "idepthwise/blocks.h"

void bnn_idepthwise_8x4_neon32(const struct bnn_idepthwise_pixels *p) { pixels(p); }

#else
typedef int bnn_idepthwise_neon32_is_empty;
#endif
