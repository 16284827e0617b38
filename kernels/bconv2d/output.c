/* SPDX-License-Identifier: Apache-2.0 */
/* Output that the kernels cannot write in place. */
#include <string.h>

#include "base/rescale.h"
#include "bconv2d/layout.h"

static uint32_t words_of(const struct bnn_bconv2d_problem *p) { return (p->sizes.filters + 31) / 32; }

size_t bnn_bconv2d_pixel_bytes(const struct bnn_bconv2d_problem *p) {
  if (p->output == BNN_BCONV2D_F32) return p->sizes.filters * (bnn_bconv2d_codes(p) ? sizeof(int8_t) : sizeof(float));
  return p->y_planes.count * words_of(p) * sizeof(uint32_t);
}

void bnn_bconv2d_clear(const struct bnn_bconv2d_problem *p, unsigned char *y, size_t pixels, size_t written) {
  const size_t plane = words_of(p) * sizeof(uint32_t);
  for (size_t i = 0; written < plane && i < pixels * p->y_planes.count; i++, y += plane)
    memset(y + written, 0, plane - written);
}

void bnn_bconv2d_put_floats(const struct bnn_bconv2d_tile *aside, const struct bnn_bconv2d_place *to) {
  for (uint32_t p = 0; p < aside->pixel_count; p++)
    memcpy(to->y + p * to->y_step + to->first * sizeof(float), aside->y + p * aside->y_step, to->channels * sizeof(float));
}

void bnn_bconv2d_put_codes(const struct bnn_bconv2d_problem *problem, const struct bnn_bconv2d_tile *aside,
                           const struct bnn_bconv2d_place *to) {
  const float scale = problem->code_scale;
  const int32_t zero = problem->code_zero;
  for (uint32_t p = 0; p < aside->pixel_count; p++) {
    const float *reals = (const float *)(const void *)(aside->y + p * aside->y_step);
    int8_t *codes = (int8_t *)to->y + p * to->y_step + to->first;
    for (uint32_t c = 0; c < to->channels; c++) codes[c] = bnn_encode(reals[c], scale, zero);
  }
}

/* `count` bits to y, from bit `first` on. */
static void put(const unsigned char *from, unsigned char *y, uint32_t first, uint32_t count) {
  const uint32_t shift = first % 8;
  y += first / 8;
  for (uint32_t i = 0; i < count; i += 8, from++, y++) {
    if (!shift) {
      *y = *from;
      continue;
    }
    *y |= (unsigned char)(*from << shift);
    if (shift + count - i > 8) y[1] |= (unsigned char)(*from >> (8 - shift));
  }
}

void bnn_bconv2d_put_bits(const struct bnn_bconv2d_tile *aside, const struct bnn_bconv2d_place *to) {
  for (uint32_t p = 0; p < aside->pixel_count; p++)
    put(aside->y + p * aside->y_step, to->y + p * to->y_step, to->first, to->channels);
}

void bnn_bconv2d_put_index(const struct bnn_bconv2d_problem *problem, const struct bnn_bconv2d_tile *aside,
                           const int32_t *thresholds, size_t step, uint32_t mr, unsigned char *bits,
                           const struct bnn_bconv2d_place *to) {
  const uint32_t planes = problem->y_planes.count, plane_bytes = words_of(problem) * (uint32_t)sizeof(uint32_t);
  const bool binary = problem->y_planes.code == BNN_CODE_BINARY;
  for (uint32_t p = 0; p < aside->pixel_count; p++) {
    const float *acc = (const float *)(const void *)(aside->y + p * aside->y_step);
    memset(bits, 0, planes * mr / 8);
    for (uint32_t c = 0; c < to->channels; c++) {
      uint32_t index = 0;
      for (uint32_t t = 0; t < problem->thresholds; t++) index += (int32_t)acc[c] < thresholds[t * step + c];
      for (uint32_t plane = 0; plane < planes; plane++) {
        const uint32_t bit = binary ? index >> plane & 1 : index > plane;
        bits[plane * mr / 8 + c / 8] |= (unsigned char)(bit << c % 8);
      }
    }
    for (uint32_t plane = 0; plane < planes; plane++)
      put(bits + plane * mr / 8, to->y + p * to->y_step + plane * plane_bytes, to->first, to->channels);
  }
}
