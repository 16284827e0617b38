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
  const uint32_t words = plan->patches.group_words, row = i / words % w->kernel_h, column = i / words / w->kernel_h;
  return filter[(row * w->kernel_w + column) * words + i % words];
}

static void pack_tile(const struct bnn_bconv2d_plan *plan, const uint32_t *filter, uint32_t filters, uint32_t *packed) {
  const uint32_t run = plan->patches.run_words, mr = plan->kernel->mr;
  uint32_t chunk = plan->kernel->kr;
  for (uint32_t at = 0; at < run; at += chunk) {
    while (run - at < chunk) chunk /= 2;
    for (uint32_t channel = 0; channel < mr; channel++)
      for (uint32_t i = at; i < at + chunk; i++)
        *packed++ = channel < filters ? word_of(plan, filter + (size_t)channel * run, i) : 0;
  }
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
      if (p->border == BNN_BORDER_ONE || (bnn_axis_inside(&y, out_y, ky) && bnn_axis_inside(&x, out_x, kx)))
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

static void pack_base(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l, const struct bnn_bconv2d_weights *weights,
                      uint32_t out_y, uint32_t out_x, int32_t *base) {
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const uint32_t group_padded = l->filters_padded / p->groups;
  const uint32_t filter_words = p->window.kernel_h * p->window.kernel_w * l->group_words;
  for (uint32_t i = 0; i < l->filters_padded; i++) {
    const uint32_t group = i / group_padded, channel = i % group_padded, filter = group * l->group_filters + channel;
    const bool bits = p->output == BNN_BCONV2D_BITS;
    if (channel >= l->group_filters) {
      base[i] = bits ? -1 : 0; /* as a limit, -1 is beyond every popcount: the tail bits are zero */
      continue;
    }
    const struct tap_sums sums = sum_taps(plan, l, weights->filter + (size_t)filter * filter_words, out_y, out_x);
    const int32_t value = sums.inside_channels + 2 * sums.outside_bits;
    const int32_t taps = (int32_t)(p->window.kernel_h * p->window.kernel_w * l->group_channels);
    base[i] = bits ? popcount_limit(value, weights->threshold[filter], taps) : value;
  }
}

static void pack_table(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l, const float *floats, const int32_t *ints,
                       float missing, float *table) {
  const uint32_t group_padded = l->filters_padded / plan->problem.groups;
  for (uint32_t i = 0; i < l->filters_padded; i++) {
    const uint32_t channel = i % group_padded, filter = i / group_padded * l->group_filters + channel;
    const bool exists = channel < l->group_filters;
    table[i] = exists && floats ? floats[filter] : exists && ints ? (float)ints[filter] : missing;
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
      pack_tile(plan, filter, left < mr ? left : mr, words);
    }

  const struct bnn_axis y = bnn_axis_y(&plan->patches), x = bnn_axis_x(&plan->patches);
  uint32_t *class_y = (uint32_t *)(void *)(out + l.class_y), *class_x = (uint32_t *)(void *)(out + l.class_x);
  const uint32_t scale_x = l.filters_padded, scale_y = plan->classes_x * scale_x;
  bnn_axis_classify(&y, p->border, scale_y, class_y);
  bnn_axis_classify(&x, p->border, scale_x, class_x);
  int32_t *base = (int32_t *)(void *)(out + l.base);
  for (uint32_t i = 0; i < y.out; i++) /* the first position of each class stands for it */
    for (uint32_t j = 0; j < x.out; j++)
      if ((!i || class_y[i] != class_y[i - 1]) && (!j || class_x[j] != class_x[j - 1]))
        pack_base(plan, &l, weights, i, j, base + class_y[i] + class_x[j]);

  if (p->output == BNN_BCONV2D_BITS) return;
  pack_table(plan, &l, weights->multiplier, NULL, 1.0f, (float *)(void *)(out + l.multiplier));
  pack_table(plan, &l, weights->bias, NULL, 0.0f, (float *)(void *)(out + l.bias));
  if (!plan->clamped) return;
  pack_table(plan, &l, NULL, weights->clamp_lo, -INFINITY, (float *)(void *)(out + l.clamp_lo));
  pack_table(plan, &l, NULL, weights->clamp_hi, INFINITY, (float *)(void *)(out + l.clamp_hi));
}
