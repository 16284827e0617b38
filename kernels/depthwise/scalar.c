/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise/kernel.h"

void bnn_depthwise_1x1_scalar(const struct bnn_depthwise_band *b) {
  for (uint32_t p = 0; p < b->pixel_count; p++)
    for (uint32_t c = 0; c < b->channels; c++) {
      float sum = b->bias[c];
      for (uint32_t row = 0; row < b->rows; row++) {
        const float *x = b->x + b->patches[p] + (size_t)row * b->between_rows + c;
        const float *w = b->weights + (size_t)row * b->taps * b->padded + c;
        for (uint32_t tap = 0; tap < b->taps; tap++) sum += x[tap * b->channels] * w[tap * b->padded];
      }
      sum = sum < b->lo ? b->lo : sum;
      b->y[(size_t)p * b->channels + c] = sum > b->hi ? b->hi : sum;
    }
}
