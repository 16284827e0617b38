/* SPDX-License-Identifier: Apache-2.0 */
#include "idepthwise/kernel.h"

void bnn_idepthwise_1x1_scalar(const struct bnn_idepthwise_pixels *p) {
  for (uint32_t pixel = 0; pixel < p->pixel_count; pixel++)
    for (uint32_t c = 0; c < p->channels; c++) bnn_idepthwise_channel(p, pixel, c);
}
