/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C for cores without vectors; four channels by two pixels keep eight sums in registers. */
#include "igemm/kernel.h"

enum { MR = 4, NR = 2 };

static void write_pixel(const struct bnn_igemm_tile *t, const int32_t *sum, int8_t *y) {
  for (uint32_t c = 0; c < MR; c++)
    y[c] = bnn_code(bnn_rescale(sum[c], t->mantissa[c], t->left ? t->left[c] : 0, t->right[c]), t->y_zero, t->lo, t->hi);
}

void bnn_igemm_4x2_scalar(const struct bnn_igemm_tile *t) {
  for (uint32_t p = 0; p < t->pixel_count; p += NR) {
    const uint32_t second = p + 1 < t->pixel_count ? p + 1 : p; /* an odd last pixel is computed twice */
    const int8_t *w = t->weights;
    int32_t sum[NR][MR];
    for (uint32_t c = 0; c < MR; c++) sum[0][c] = sum[1][c] = t->bias[c];
    for (uint32_t run = 0; run < t->runs; run++) {
      const int8_t *x0 = (const int8_t *)t->x + t->patches[p] + (size_t)run * t->between_runs;
      const int8_t *x1 = (const int8_t *)t->x + t->patches[second] + (size_t)run * t->between_runs;
      for (uint32_t i = 0; i < t->run; i++, w += MR)
        for (uint32_t c = 0; c < MR; c++) {
          sum[0][c] += x0[i] * w[c];
          sum[1][c] += x1[i] * w[c];
        }
    }
    write_pixel(t, sum[0], t->y + p * t->y_step);
    write_pixel(t, sum[1], t->y + second * t->y_step);
  }
}
