/* SPDX-License-Identifier: Apache-2.0 */
#include "base/patches.h"

#include <string.h>

static uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

struct bnn_axis bnn_axis_y(const struct bnn_patches *p) {
  const struct bnn_window *w = &p->window;
  return (struct bnn_axis){w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, p->in_h, p->out_h};
}

struct bnn_axis bnn_axis_x(const struct bnn_patches *p) {
  const struct bnn_window *w = &p->window;
  return (struct bnn_axis){w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, p->in_w, p->out_w};
}

int64_t bnn_axis_origin(const struct bnn_axis *axis, uint32_t position) {
  return (int64_t)position * axis->stride - axis->pad;
}

static bool is_pointwise(const struct bnn_window *w) {
  return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
         !(w->pad_top | w->pad_left | w->pad_bottom | w->pad_right);
}

static bool has_padding(const struct bnn_axis *a) {
  return a->pad || bnn_axis_origin(a, a->out - 1) + (int64_t)(a->kernel - 1) * a->dilation >= a->in;
}

void bnn_patches_plan(struct bnn_patches *p, uint32_t granule, uint32_t band_pixels) {
  const struct bnn_window *w = &p->window;
  if (is_pointwise(w)) {
    p->in_h = p->out_h = p->batch * p->out_h * p->out_w;
    p->in_w = p->out_w = p->batch = 1;
  }
  const bool touching = w->kernel_w == 1 || (w->dilation_w == 1 && p->group_words == p->pixel_words);
  p->run_words = ceil_div(w->kernel_w * p->group_words, granule) * granule;
  if (!touching || p->run_words != w->kernel_w * p->group_words) {
    p->rows = BNN_ROWS_UNFOLDED;
    p->patch_words = p->run_words;
    p->row_words = p->out_w * p->run_words;
  } else {
    const struct bnn_axis y = bnn_axis_y(p), x = bnn_axis_x(p);
    p->rows = has_padding(&y) || has_padding(&x) ? BNN_ROWS_PADDED : BNN_ROWS_IN_PLACE;
    p->patch_words = w->stride_w * p->pixel_words;
    p->row_words = p->in_w * p->pixel_words;
    if (p->rows == BNN_ROWS_PADDED) p->row_words += (w->pad_left + w->pad_right) * p->pixel_words;
  }
  const uint32_t bands = ceil_div(p->out_h, ceil_div(band_pixels, p->out_w));
  p->band_rows = ceil_div(p->out_h, bands);
  p->bands = ceil_div(p->out_h, p->band_rows);
}

/* Input rows from the first to the last that `count` output rows read. */
static size_t rows_read(const struct bnn_window *w, uint32_t count) {
  return (size_t)(count - 1) * w->stride_h + (size_t)(w->kernel_h - 1) * w->dilation_h + 1;
}

size_t bnn_patches_bytes(const struct bnn_patches *p) {
  return p->rows == BNN_ROWS_IN_PLACE ? 0 : rows_read(&p->window, p->band_rows) * p->row_words * sizeof(uint32_t);
}

struct bnn_band bnn_patches_band(const struct bnn_patches *p, size_t index, uint32_t group) {
  struct bnn_band band = {.image = (uint32_t)(index / p->bands), .group = group};
  band.begin = (uint32_t)(index % p->bands) * p->band_rows;
  band.end = band.begin + p->band_rows < p->out_h ? band.begin + p->band_rows : p->out_h;
  return band;
}

static void fill(const struct bnn_patches *p, uint32_t *to, size_t words) {
  if (!p->fill)
    memset(to, 0, words * sizeof *to);
  else
    for (size_t i = 0; i < words; i++) memcpy(to + i, &p->fill, sizeof *to); /* it may be a float */
}

static void pad_row(const struct bnn_patches *p, const uint32_t *from, uint32_t *to) {
  const size_t left = p->window.pad_left * p->pixel_words, image = p->in_w * p->pixel_words;
  fill(p, to, left);
  memcpy(to + left, from, image * sizeof *to);
  fill(p, to + left + image, p->row_words - left - image);
}

static void unfold_row(const struct bnn_patches *p, const uint32_t *from, uint32_t *to) {
  const struct bnn_axis axis = bnn_axis_x(p);
  fill(p, to, p->row_words);
  for (uint32_t x = 0; x < p->out_w; x++, to += p->run_words)
    for (uint32_t tap = 0; tap < axis.kernel; tap++) {
      const int64_t at = bnn_axis_origin(&axis, x) + (int64_t)tap * axis.dilation;
      if (at < 0 || at >= p->in_w) continue;
      memcpy(to + tap * p->group_words, from + (size_t)at * p->pixel_words, p->group_words * sizeof *to);
    }
}

const uint32_t *bnn_patches_lay_out(const struct bnn_patches *p, const struct bnn_band *band, const uint32_t *x,
                                    uint32_t *copy) {
  const struct bnn_axis axis = bnn_axis_y(p);
  const size_t row_words = (size_t)p->in_w * p->pixel_words;
  const int64_t first = bnn_axis_origin(&axis, band->begin);
  x += band->image * p->in_h * row_words;
  if (p->rows == BNN_ROWS_IN_PLACE) return x + (size_t)first * row_words + band->group * p->group_words;
  if (p->rows == BNN_ROWS_UNFOLDED) x += band->group * p->group_words;
  uint32_t *to = copy;
  const int64_t end = first + (int64_t)rows_read(&p->window, band->end - band->begin);
  for (int64_t row = first; row < end; row++, to += p->row_words) {
    if (row < 0 || row >= p->in_h)
      fill(p, to, p->row_words);
    else if (p->rows == BNN_ROWS_PADDED)
      pad_row(p, x + (size_t)row * row_words, to);
    else
      unfold_row(p, x + (size_t)row * row_words, to);
  }
  return p->rows == BNN_ROWS_PADDED ? copy + band->group * p->group_words : copy;
}

uint32_t bnn_patches_list(const struct bnn_patches *p, const struct bnn_band *band, uint32_t *starts) {
  uint32_t count = 0;
  for (uint32_t y = 0; y < band->end - band->begin; y++)
    for (uint32_t x = 0; x < p->out_w; x++) starts[count++] = y * p->window.stride_h * p->row_words + x * p->patch_words;
  return count;
}
