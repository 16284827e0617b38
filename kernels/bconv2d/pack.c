/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: the weights in the order in which the kernel reads them, and the tables of its output.
 *
 * A zero word counts as +1 in every channel, so BNN_BORDER_ONE costs nothing. With BNN_BORDER_ZERO the taps outside must add
 * 0, but add their channels minus twice their popcount. Which taps those are depends only on which kernel rows and columns
 * lie inside, so pixels fall into a few classes, and `base` holds for each class and channel what remains when that is
 * taken away: exact, also where the kernel is larger than the image. */
#include "bconv2d/layout.h"

#include <math.h>
#include <string.h>

static uint32_t popcount(uint32_t word) {
  uint32_t count = 0;
  for (; word; word &= word - 1) count++;
  return count;
}

/* Word i of a run, which goes through the kernel's columns, their rows, their channels. */
static uint32_t word_of(const struct bnn_bconv2d_plan *plan, const uint32_t *filter, uint32_t i) {
  const struct bnn_window *w = &plan->problem.window;
  const uint32_t at = plan->kernel->split ? i / 2 : i, words = plan->patches.group_words;
  const uint32_t row = at / words % w->kernel_h, column = at / words / w->kernel_h;
  const uint32_t word = filter[(row * w->kernel_w + column) * words + at % words];
  return plan->kernel->split ? bnn_bconv2d_nibbles(word, i % 2) : word;
}

/* `lanes` channels from the filter `first` on; those from `filters` on do not exist. Returns the end. */
static uint32_t *pack_lanes(const struct bnn_bconv2d_plan *plan, const uint32_t *filter, uint32_t first, uint32_t filters,
                            uint32_t *packed) {
  const uint32_t run = bnn_bconv2d_run_words(plan), filter_words = plan->patches.run_words;
  uint32_t chunk = plan->kernel->kr;
  for (uint32_t at = 0; at < run; at += chunk) {
    while (run - at < chunk) chunk /= 2;
    for (uint32_t channel = first; channel < first + plan->kernel->lanes; channel++)
      for (uint32_t i = at; i < at + chunk; i++)
        *packed++ = channel < filters ? word_of(plan, filter + (size_t)channel * filter_words, i) : 0;
  }
  return packed;
}

/* The bits that a filter's taps outside the image would add to popcount, and the channels of its taps inside. */
struct tap_sums {
  int32_t outside_bits, inside_channels;
};

static struct tap_sums sum_taps(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l, const uint32_t *filter,
                                uint32_t out_y, uint32_t out_x) {
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const struct bnn_axis y = bnn_axis_y(&plan->patches), x = bnn_axis_x(&plan->patches);
  struct tap_sums sums = {0, 0};
  for (uint32_t ky = 0; ky < y.kernel; ky++)
    for (uint32_t kx = 0; kx < x.kernel; kx++, filter += l->group_words) {
      if (p->border == BNN_BORDER_ONE || (bnn_bconv2d_inside(&y, out_y, ky) && bnn_bconv2d_inside(&x, out_x, kx)))
        sums.inside_channels += (int32_t)l->group_channels;
      else
        for (uint32_t i = 0; i < l->group_words; i++) sums.outside_bits += (int32_t)popcount(filter[i]);
    }
  return sums;
}

/* popcount >= limit where acc = base - 2 * popcount < threshold, for every popcount from 0 to `bits`. */
static int32_t popcount_limit(int64_t base, int64_t threshold, int64_t bits) {
  const int64_t twice = base - threshold;
  const int64_t limit = (twice >= 0 ? twice / 2 : -((1 - twice) / 2)) + 1; /* floor(twice / 2) + 1 */
  return (int32_t)(limit < 0 ? 0 : limit > bits + 1 ? bits + 1 : limit);
}

/* One channel of a class: base, or the limit that stands for it. */
static int32_t base_of(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l,
                       const struct bnn_bconv2d_weights *weights, uint32_t filter, uint32_t out_y, uint32_t out_x) {
  const struct bnn_window *w = &plan->problem.window;
  const uint32_t taps = w->kernel_h * w->kernel_w;
  const struct tap_sums sums =
      sum_taps(plan, l, weights->filter + (size_t)filter * taps * l->group_words, out_y, out_x);
  const int32_t base = sums.inside_channels + 2 * sums.outside_bits;
  if (plan->problem.output == BNN_BCONV2D_F32) return base;
  return popcount_limit(base, weights->threshold[filter], (int64_t)taps * l->group_channels);
}

/* The row of `start` or `base` for the class of an output pixel. Channels that do not exist give zero bits: their sum never
 * reaches zero, their limit is beyond every popcount. */
static void pack_row(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l,
                     const struct bnn_bconv2d_weights *weights, uint32_t out_y, uint32_t out_x, void *row) {
  const bool f32 = plan->problem.output == BNN_BCONV2D_F32;
  const uint32_t group_padded = l->filters_padded / plan->problem.groups;
  int16_t *start = row;
  int32_t *base = row;
  for (uint32_t i = 0; i < l->filters_padded; i++) {
    const uint32_t channel = i % group_padded, filter = i / group_padded * l->group_filters + channel;
    const bool exists = channel < l->group_filters;
    const int32_t value = exists ? base_of(plan, l, weights, filter, out_y, out_x) : 0;
    if (plan->narrow)
      start[i] = (int16_t)(f32 ? -value / 2 : exists ? -value : INT16_MIN);
    else
      base[i] = f32 || exists ? value : -1;
  }
}

static void pack_table(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l, const float *floats, const int32_t *ints,
                       float missing, float scale, float *table) {
  const uint32_t group_padded = l->filters_padded / plan->problem.groups;
  for (uint32_t i = 0; i < l->filters_padded; i++) {
    const uint32_t channel = i % group_padded, filter = i / group_padded * l->group_filters + channel;
    const bool exists = channel < l->group_filters;
    table[i] = scale * (exists && floats ? floats[filter] : exists && ints ? (float)ints[filter] : missing);
  }
}

void bnn_bconv2d_pack(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_weights *weights, void *packed) {
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const struct bnn_bconv2d_layout l = bnn_bconv2d_layout_of(plan);
  char *out = packed;
  memset(out, 0, l.end);

  const uint32_t filter_words = p->window.kernel_h * p->window.kernel_w * l.group_words, mr = plan->kernel->mr;
  for (uint32_t group = 0; group < p->groups; group++)
    for (uint32_t tile = 0; tile < l.group_tiles; tile++) {
      const uint32_t left = l.group_filters - tile * mr;
      const uint32_t *filter = weights->filter + ((size_t)group * l.group_filters + tile * mr) * filter_words;
      uint32_t *words = (uint32_t *)(void *)out + ((size_t)group * l.group_tiles + tile) * l.tile_words;
      for (uint32_t first = 0; first < mr; first += plan->kernel->lanes)
        words = pack_lanes(plan, filter, first, left < mr ? left : mr, words);
    }

  const struct bnn_axis y = bnn_axis_y(&plan->patches), x = bnn_axis_x(&plan->patches);
  uint32_t *class_y = (uint32_t *)(void *)(out + l.class_y);
  struct bnn_bconv2d_pixel *columns = (struct bnn_bconv2d_pixel *)(void *)(out + l.columns);
  const uint32_t row_bytes = l.filters_padded * (uint32_t)bnn_bconv2d_entry(plan);
  for (uint32_t i = 0, last = 0; i < y.out; i++) class_y[i] = (last += bnn_bconv2d_starts_class(plan, &y, i)) * plan->classes_x * row_bytes;
  for (uint32_t i = 0, last = 0; i < x.out; i++) {
    last += bnn_bconv2d_starts_class(plan, &x, i);
    columns[i].patch = bnn_patches_column(&plan->patches, i) * bnn_bconv2d_word_bytes(plan);
    columns[i].row = last * row_bytes;
  }
  for (uint32_t i = 0; i < y.out; i++) /* the first position of each class stands for it */
    for (uint32_t j = 0; j < x.out; j++)
      if ((!i || class_y[i] != class_y[i - 1]) && (!j || columns[j].row != columns[j - 1].row))
        pack_row(plan, &l, weights, i, j, out + l.rows + class_y[i] + columns[j].row);

  if (p->output == BNN_BCONV2D_BITS) return;
  const float clamp_scale = plan->narrow ? -0.5f : 1.0f; /* a negative one swaps the clamps */
  const int32_t *lo = plan->narrow ? weights->clamp_hi : weights->clamp_lo;
  const int32_t *hi = plan->narrow ? weights->clamp_lo : weights->clamp_hi;
  pack_table(plan, &l, weights->multiplier, NULL, 1.0f, 1.0f / clamp_scale, (float *)(void *)(out + l.multiplier));
  pack_table(plan, &l, weights->bias, NULL, 0.0f, 1.0f, (float *)(void *)(out + l.bias));
  if (!plan->clamped) return;
  pack_table(plan, &l, NULL, lo, -INFINITY / clamp_scale, clamp_scale, (float *)(void *)(out + l.clamp_lo));
  pack_table(plan, &l, NULL, hi, INFINITY / clamp_scale, clamp_scale, (float *)(void *)(out + l.clamp_hi));
}
