/* SPDX-License-Identifier: Apache-2.0 */
#include "base/patches.h"

#include <string.h>

#include "base/sizes.h"

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

uint32_t bnn_axis_span(const struct bnn_axis *axis, uint32_t count) {
  return (count - 1) * axis->stride + (axis->kernel - 1) * axis->dilation + 1;
}

static bool is_padded(const struct bnn_axis *axis) { return axis->pad || bnn_axis_span(axis, axis->out) > axis->in; }

static bool is_pointwise(const struct bnn_window *w) {
  return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
         !(w->pad_top | w->pad_left | w->pad_bottom | w->pad_right);
}

static uint32_t common_divisor(uint32_t a, uint32_t b) { return b ? common_divisor(b, a % b) : a; }

/* Few bands of equal size, which threads share best, and an even number of them if none gets small or larger than others;
 * but of so many rows that their pixels come in whole tiles, where tiles that are not whole would cost more than a
 * thirty-second. */
static void plan_bands(struct bnn_patches *p, uint32_t band_pixels, uint32_t nr) {
  const uint32_t even_rows = nr / common_divisor(nr, p->out_w);
  const uint32_t few = bnn_ceil_div(p->out_h, bnn_ceil_div(band_pixels, p->out_w)), even = few + few % 2;
  const bool evenly = p->out_h % even == 0 && (uint64_t)(p->out_h / even) * p->out_w >= band_pixels / 2;
  const uint32_t bands = evenly ? even : few, rows = bnn_ceil_div(p->out_h, bands);
  const uint32_t whole_rows = bnn_round_up(rows, even_rows);
  const uint64_t tiles = (uint64_t)bands * bnn_ceil_div(rows * p->out_w, nr), pixels = (uint64_t)p->out_h * p->out_w;
  const uint32_t wanted = 32 * tiles * nr > 33 * (pixels + nr - 1) ? whole_rows : rows;
  p->band_rows = wanted < p->out_h ? wanted : p->out_h;
  p->bands = bnn_ceil_div(p->out_h, p->band_rows);
}

void bnn_patches_plan(struct bnn_patches *p, enum bnn_layout layout, uint32_t band_pixels, uint32_t nr) {
  struct bnn_window *w = &p->window;
  if (is_pointwise(w)) {
    p->in_h = p->out_h = p->batch * p->out_h * p->out_w;
    p->in_w = p->out_w = p->batch = 1;
  }
  if (w->kernel_h == 1) w->dilation_h = 1;
  if (w->kernel_w == 1) w->dilation_w = 1;
  const struct bnn_axis y = bnn_axis_y(p), x = bnn_axis_x(p);
  const bool touching = w->kernel_w == 1 || (w->dilation_w == 1 && p->group_words == p->pixel_words);
  const bool one_run = w->kernel_h == 1 || layout == BNN_ROWS;
  p->layout = touching && one_run && !is_padded(&y) && !is_padded(&x) ? BNN_IN_PLACE : layout;

  p->period = bnn_ceil_div(bnn_axis_span(&x, p->out_w), w->dilation_w);
  const uint32_t columns = p->layout == BNN_IN_PLACE ? p->in_w : p->period * w->dilation_w;
  p->step = p->layout == BNN_IN_PLACE ? p->pixel_words : p->group_words;
  p->run_words = w->kernel_w * p->group_words;
  if (p->layout == BNN_COLUMNS) {
    p->step *= w->kernel_h;
    p->run_words *= w->kernel_h;
    p->runs = 1;
    p->between_runs = 0;
    p->line = columns * p->step;
  } else {
    p->runs = w->kernel_h;
    p->between_runs = w->dilation_h * columns * p->step;
    p->line = w->stride_h * columns * p->step;
  }
  plan_bands(p, band_pixels, nr);
  p->parity = p->layout == BNN_PARITY ? bnn_axis_span(&y, p->band_rows) * columns * p->step : 0;
}

size_t bnn_patches_bytes(const struct bnn_patches *p) {
  const struct bnn_axis y = bnn_axis_y(p);
  const size_t row_words = (size_t)p->period * p->window.dilation_w * p->step;
  const size_t rows = p->layout == BNN_IN_PLACE ? 0 : p->layout == BNN_COLUMNS ? p->band_rows : bnn_axis_span(&y, p->band_rows);
  const size_t parities = p->layout == BNN_PARITY ? (size_t)(p->band_rows - 1) * y.stride + 1 : 0;
  return (rows + parities) * row_words * sizeof(uint32_t);
}

struct bnn_band bnn_patches_band(const struct bnn_patches *p, size_t index, uint32_t group) {
  struct bnn_band band = {.image = (uint32_t)(index / p->bands), .group = group};
  band.begin = (uint32_t)(index % p->bands) * p->band_rows;
  band.end = band.begin + p->band_rows < p->out_h ? band.begin + p->band_rows : p->out_h;
  return band;
}

size_t bnn_patches_pixel(const struct bnn_patches *p, size_t index) {
  return (index / p->bands * p->out_h + index % p->bands * p->band_rows) * p->out_w;
}

/* Copies `count` pixels of `words` words; the usual small sizes are known to the compiler, since a call for each pixel would
 * cost more than the copy. */
static inline void copy_each(uint32_t *to, size_t to_step, const uint32_t *from, size_t from_step, size_t count,
                             const uint32_t words) {
  for (; count; count--, to += to_step, from += from_step) memcpy(to, from, words * sizeof *to);
}

static void copy_pixels(uint32_t *to, size_t to_step, const uint32_t *from, size_t from_step, size_t count, uint32_t words) {
  if (to_step == words && from_step == words) {
    memcpy(to, from, count * words * sizeof *to);
    return;
  }
  switch (words) {
    case 1: copy_each(to, to_step, from, from_step, count, 1); break;
    case 2: copy_each(to, to_step, from, from_step, count, 2); break;
    case 3: copy_each(to, to_step, from, from_step, count, 3); break;
    case 4: copy_each(to, to_step, from, from_step, count, 4); break;
    case 5: copy_each(to, to_step, from, from_step, count, 5); break;
    case 6: copy_each(to, to_step, from, from_step, count, 6); break;
    case 7: copy_each(to, to_step, from, from_step, count, 7); break;
    case 8: copy_each(to, to_step, from, from_step, count, 8); break;
    default: copy_each(to, to_step, from, from_step, count, words);
  }
}

static void fill_pixels(const struct bnn_patches *p, uint32_t *to, size_t count) {
  size_t words = p->group_words;
  if (p->step == words) words *= count, count = 1;
  for (; count; count--, to += p->step)
    for (size_t i = 0; i < words; i++) memcpy(to + i, &p->fill, sizeof *to); /* it may be a float */
}

struct bnn_residue bnn_patches_residue(const struct bnn_patches *p, uint32_t residue, bool border) {
  /* Column i of the residue is image column residue + i * dilation - pad. */
  const uint32_t dilation = p->window.dilation_w, pad = p->window.pad_left;
  const uint32_t outside = pad > residue ? bnn_ceil_div(pad - residue, dilation) : 0;
  const uint32_t left = outside < p->period ? outside : p->period, first = residue + left * dilation - pad;
  const uint32_t columns = !border && first < p->in_w ? bnn_ceil_div(p->in_w - first, dilation) : 0;
  const uint32_t inside = columns < p->period - left ? columns : p->period - left;
  return (struct bnn_residue){left, inside, p->period - left - inside, first};
}

/* Lays `count` rows of an image out, from row `first` on, `apart` from each other, `to_step` words from one to the next, each a
 * residue of the dilation after the other. Rows outside the image are border. */
static void lay_rows(const struct bnn_patches *p, const uint32_t *image, int64_t first, uint32_t apart, uint32_t count,
                     uint32_t *to, size_t to_step) {
  const uint32_t dilation = p->window.dilation_w;
  for (uint32_t residue = 0; residue < dilation; residue++, to += (size_t)p->period * p->step) {
    const struct bnn_residue r = bnn_patches_residue(p, residue, false);
    for (uint32_t i = 0; i < count; i++) {
      const int64_t row = first + (int64_t)i * apart;
      const uint32_t copied = row >= 0 && row < p->in_h ? r.inside : 0;
      uint32_t *at = to + i * to_step;
      fill_pixels(p, at, r.left);
      fill_pixels(p, at + (size_t)(r.left + copied) * p->step, p->period - r.left - copied);
      if (copied)
        copy_pixels(at + (size_t)r.left * p->step, p->step, image + ((size_t)row * p->in_w + r.first) * p->pixel_words,
                    (size_t)dilation * p->pixel_words, copied, p->group_words);
    }
  }
}

/* The XOR of three rows. */
static void add_rows(const uint32_t *row, size_t between, uint32_t *restrict to, size_t words) {
  const uint32_t *second = row + between, *third = second + between;
  for (size_t i = 0; i < words; i++) to[i] = row[i] ^ second[i] ^ third[i];
}

const uint32_t *bnn_patches_lay_out(const struct bnn_patches *p, const struct bnn_band *band, const uint32_t *x,
                                    uint32_t *copy) {
  const struct bnn_axis axis = bnn_axis_y(p);
  const size_t image_words = (size_t)p->in_h * p->in_w * p->pixel_words;
  const size_t row_words = (size_t)p->period * p->window.dilation_w * p->step;
  const uint32_t rows = band->end - band->begin;
  const int64_t first = bnn_axis_origin(&axis, band->begin);
  x += band->image * image_words + (size_t)band->group * p->group_words;
  if (p->layout == BNN_IN_PLACE) return x + (size_t)first * p->in_w * p->pixel_words;
  if (p->layout == BNN_COLUMNS) {
    for (uint32_t y = 0; y < rows; y++)
      lay_rows(p, x, first + (int64_t)y * axis.stride, axis.dilation, axis.kernel, copy + (size_t)y * p->line, p->group_words);
    return copy;
  }
  lay_rows(p, x, first, 1, bnn_axis_span(&axis, rows), copy, row_words);
  for (uint32_t y = 0; p->parity && y < rows; y++) {
    const uint32_t *row = copy + (size_t)y * p->line;
    add_rows(row, p->between_runs, copy + p->parity + (size_t)y * p->line, row_words);
  }
  return copy;
}

uint32_t bnn_patches_extent(const struct bnn_patches *p, uint32_t rows) {
  uint32_t last = 0; /* with dilation, the last column need not lie furthest */
  for (uint32_t x = 0; x < p->out_w; x++) {
    const uint32_t at = bnn_patches_column(p, x);
    last = at > last ? at : last;
  }
  return (rows - 1) * p->line + last + (p->runs - 1) * p->between_runs + p->run_words;
}

void bnn_patches_list(const struct bnn_patches *p, uint32_t *offsets) {
  for (uint32_t y = 0; y < p->band_rows; y++)
    for (uint32_t x = 0; x < p->out_w; x++) *offsets++ = y * p->line + bnn_patches_column(p, x);
}
