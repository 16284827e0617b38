/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C for cores without vectors; four channels by two pixels keep eight sums in registers. */
#include "sgemm/kernel.h"

enum { MR = 4, NR = 2 };

static void write_pixel(const struct bnn_sgemm_tile *t, const float *sum, float *y) {
  for (uint32_t c = 0; c < MR; c++) {
    const float value = sum[c] < t->lo ? t->lo : sum[c];
    y[c] = value > t->hi ? t->hi : value;
  }
}

void bnn_sgemm_4x2_scalar(const struct bnn_sgemm_tile *t) {
  for (uint32_t p = 0; p < t->pixel_count; p += NR) {
    const uint32_t second = p + 1 < t->pixel_count ? p + 1 : p; /* an odd last pixel is computed twice */
    const float *w = t->weights;
    float sum[NR][MR];
    for (uint32_t c = 0; c < MR; c++) sum[0][c] = sum[1][c] = t->bias[c];
    for (uint32_t run = 0; run < t->runs; run++) {
      const float *x0 = t->x + t->patches[p] + (size_t)run * t->between_runs;
      const float *x1 = t->x + t->patches[second] + (size_t)run * t->between_runs;
      for (uint32_t i = 0; i < t->run_words; i++, w += MR)
        for (uint32_t c = 0; c < MR; c++) {
          sum[0][c] += x0[i] * w[c];
          sum[1][c] += x1[i] * w[c];
        }
    }
    write_pixel(t, sum[0], t->y + p * t->y_step);
    write_pixel(t, sum[1], t->y + second * t->y_step);
  }
}
