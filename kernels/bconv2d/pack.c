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

/* Adds neighbours of 1, 2 and 4 bits, then all bytes: without a branch, so that compilers vectorise it. */
static uint32_t popcount(uint32_t word) {
  word -= word >> 1 & 0x55555555u;
  word = (word & 0x33333333u) + (word >> 2 & 0x33333333u);
  return ((word + (word >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
}

/* Words of a filter, all planes. */
static size_t filter_words(const struct bnn_bconv2d_plan *plan) {
  return (size_t)bnn_patches_words(&plan->patches) * plan->problem.w_planes.count;
}

/* Words from a row of a filter to the next. */
static uint32_t row_words(const struct bnn_bconv2d_plan *plan) {
  return plan->problem.sizes.window.kernel_w * plan->problem.w_planes.count * plan->patches.group_words;
}

/* Where word i of a patch lies in a filter. A patch goes through the kernel's columns, their rows, their channels; with
 * BNN_PARITY through the columns, their channels, their rows. */
static uint32_t word_at(const struct bnn_bconv2d_plan *plan, uint32_t plane, uint32_t i) {
  const uint32_t words = plan->patches.group_words, rows = plan->problem.sizes.window.kernel_h, column = i / words / rows;
  const bool parity = plan->patches.layout == BNN_PARITY;
  const uint32_t row = (parity ? i : i / words) % rows, word = (parity ? i / rows : i) % words;
  return row * row_words(plan) + (column * plan->problem.w_planes.count + plane) * words + word;
}

/* Word i of a patch as the kernel reads it, from the word of the filter that word_at names. */
static uint32_t packed_word(const struct bnn_bconv2d_plan *plan, uint32_t i, const uint32_t *word) {
  if (plan->kernel->form == BNN_BCONV2D_NIBBLES) return bnn_bconv2d_nibbles(*word, i % 2);
  if (plan->patches.layout != BNN_PARITY || i % 3 < 2) return *word;
  const size_t row = row_words(plan);
  const uint32_t *first = word - 2 * row;
  return first[0] ^ first[row] ^ first[2 * row];
}

/* One plane of `lanes` channels, of which `filters` exist. */
static void pack_lanes(const struct bnn_bconv2d_plan *plan, const uint32_t *filter, uint32_t plane, uint32_t filters,
                       uint32_t *packed) {
  const uint32_t run = bnn_bconv2d_words(plan), lanes = plan->kernel->lanes;
  uint32_t chunk = plan->kernel->kr;
  for (uint32_t at = 0; at < run; at += chunk, packed += lanes * chunk) {
    while (run - at < chunk) chunk /= 2;
    for (uint32_t i = 0; i < chunk; i++) {
      const uint32_t *word = filter + word_at(plan, plane, (at + i) / bnn_bconv2d_parts(plan));
      for (uint32_t c = 0; c < filters && c < lanes; c++)
        packed[c * chunk + i] = packed_word(plan, at + i, word + c * filter_words(plan));
    }
  }
}

static void pack_weights(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l, const uint32_t *filters,
                         uint32_t *packed) {
  const struct bnn_tiles *t = &plan->tiles;
  const uint32_t mr = plan->kernel->mr, lanes = plan->kernel->lanes, run = bnn_bconv2d_words(plan);
  for (uint32_t i = 0; i < l->filters_padded; i += lanes) {
    const uint32_t group = i / l->group_padded, channel = i % l->group_padded;
    const uint32_t *filter = filters + ((size_t)group * t->group_filters + channel) * filter_words(plan);
    uint32_t *tile = packed + i / mr * l->tile_words + (size_t)(i % mr) * run;
    for (uint32_t plane = 0; plane < plan->problem.w_planes.count && channel < t->group_filters; plane++)
      pack_lanes(plan, filter, plane, t->group_filters - channel, tile + plane * l->plane_words);
  }
}

static uint32_t exponent(const struct bnn_bconv2d_planes *planes, uint32_t plane) {
  return planes->code == BNN_CODE_BINARY ? plane : 0;
}

/* Pairs of planes, those that are worth most first. */
static void pack_passes(const struct bnn_bconv2d_plan *plan, struct bnn_bconv2d_pass *pass) {
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const uint32_t highest = exponent(&p->x_planes, p->x_planes.count - 1) + exponent(&p->w_planes, p->w_planes.count - 1);
  for (uint32_t e = highest + 1; e-- > 0;) {
    bool doubled = e < highest;
    for (uint32_t x = 0; x < p->x_planes.count; x++)
      for (uint32_t w = 0; w < p->w_planes.count; w++) {
        if (exponent(&p->x_planes, x) + exponent(&p->w_planes, w) != e) continue;
        *pass++ = (struct bnn_bconv2d_pass){x, w, doubled};
        doubled = false;
      }
  }
}

#define NONE UINT32_MAX

/* The filter that is channel i of all tiles, NONE for one that fills a tile up. */
static uint32_t filter_at(const struct bnn_bconv2d_plan *plan, uint32_t i) {
  const uint32_t padded = plan->layout.group_padded, filters = plan->tiles.group_filters, channel = i % padded;
  return channel < filters ? i / padded * filters + channel : NONE;
}

static int32_t set_bits(const uint32_t *words, uint32_t count) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < count; i++) bits += popcount(words[i]);
  return (int32_t)bits;
}

/* What a filter's taps outside the image would add to popcount, and the channels of its taps inside, by their worth. */
struct tap_sums {
  int32_t outside_bits, inside_channels;
};

static struct tap_sums sum_taps(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l, const uint32_t *filter,
                                uint32_t out_y, uint32_t out_x) {
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const struct bnn_axis y = bnn_axis_y(&plan->patches), x = bnn_axis_x(&plan->patches);
  const int32_t x_worth = bnn_bconv2d_worth(&p->x_planes), w_worth = bnn_bconv2d_worth(&p->w_planes);
  struct tap_sums sums = {0, 0};
  for (uint32_t ky = 0; ky < y.kernel; ky++)
    for (uint32_t kx = 0; kx < x.kernel; kx++, filter += l->group_words * p->w_planes.count) {
      if (p->border == BNN_BORDER_ONE || (bnn_bconv2d_inside(&y, out_y, ky) && bnn_bconv2d_inside(&x, out_x, kx)))
        sums.inside_channels += x_worth * w_worth * (int32_t)l->group_channels;
      else
        for (uint32_t plane = 0; plane < p->w_planes.count; plane++)
          sums.outside_bits += (x_worth << exponent(&p->w_planes, plane)) *
                               set_bits(filter + plane * l->group_words, l->group_words);
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
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const struct tap_sums sums = sum_taps(plan, l, weights->filter + filter * filter_words(plan), out_y, out_x);
  const int32_t base = sums.inside_channels + 2 * sums.outside_bits;
  if (p->output == BNN_BCONV2D_F32 || bnn_bconv2d_indexes(p)) return base;
  const int64_t worth = (int64_t)bnn_bconv2d_worth(&p->x_planes) * bnn_bconv2d_worth(&p->w_planes);
  return popcount_limit(base, weights->threshold[filter], worth * (int64_t)bnn_filter_elements(&p->sizes));
}

/* The row of `start` or `base` for the class of an output pixel. Channels that do not exist give zero bits: their sum never
 * reaches zero, their limit is beyond every popcount. */
static void pack_row(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l,
                     const struct bnn_bconv2d_weights *weights, uint32_t out_y, uint32_t out_x, void *row) {
  const bool f32 = plan->problem.output == BNN_BCONV2D_F32 || bnn_bconv2d_indexes(&plan->problem);
  const bool short_sums = plan->narrow && plan->kernel->sum_bits == 16;
  int16_t *shorts = row;
  int32_t *words = row;
  for (uint32_t i = 0; i < l->filters_padded; i++) {
    const uint32_t filter = filter_at(plan, i);
    const bool exists = filter != NONE;
    const int32_t value = exists ? base_of(plan, l, weights, filter, out_y, out_x) : 0;
    if (short_sums)
      shorts[i] = (int16_t)(f32 ? -value / 2 : exists ? -value : INT16_MIN);
    else if (plan->narrow)
      words[i] = f32 ? BNN_BCONV2D_ZERO - value / 2 : exists ? -value : INT32_MIN;
    else
      words[i] = f32 || exists ? value : -1;
  }
}

/* The rows of all classes, each where its first pixel is met, and the lists of pixels that point to them. */
static void pack_pixels(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l,
                        const struct bnn_bconv2d_weights *weights, char *out) {
  const struct bnn_patches *p = &plan->patches;
  const struct bnn_axis y = bnn_axis_y(p), x = bnn_axis_x(p);
  const uint32_t word = (uint32_t)sizeof(uint32_t) * bnn_bconv2d_parts(plan);
  const uint32_t row_bytes = l->filters_padded * (uint32_t)bnn_bconv2d_entry(plan);
  uint32_t *lists = (uint32_t *)(void *)(out + l->lists);
  for (uint32_t i = 1; i < p->bands; i++) lists[i] = lists[i - 1] + bnn_bconv2d_starts_list(plan, i);
  for (uint32_t i = 0, class_y = 0; i < y.out; i++) {
    const bool starts_y = !i || bnn_bconv2d_starts_class(plan, &y, i);
    const uint32_t list = lists[i / p->band_rows], in_band = i % p->band_rows;
    struct bnn_bconv2d_pixel *pixel = (struct bnn_bconv2d_pixel *)(void *)(out + l->pixels + list * l->list_bytes);
    class_y += i && starts_y;
    pixel += in_band * p->out_w;
    for (uint32_t j = 0, class_x = 0; j < x.out; j++) {
      const bool starts_x = !j || bnn_bconv2d_starts_class(plan, &x, j);
      class_x += j && starts_x;
      pixel[j].patch = (in_band * p->line + bnn_patches_column(p, j)) * word;
      pixel[j].row = (class_y * plan->classes_x + class_x) * row_bytes;
      if (starts_y && starts_x) pack_row(plan, l, weights, i, j, out + l->rows + pixel[j].row);
    }
  }
}

static void pack_table(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_layout *l, const float *floats,
                       const int32_t *ints, float missing, float scale, float *table) {
  for (uint32_t i = 0; i < l->filters_padded; i++) {
    const uint32_t filter = filter_at(plan, i);
    const bool exists = filter != NONE;
    table[i] = scale * (exists && floats ? floats[filter] : exists && ints ? (float)ints[filter] : missing);
  }
}

void bnn_bconv2d_pack(const struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_weights *weights, void *packed) {
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const struct bnn_bconv2d_layout l = plan->layout;
  char *out = packed;
  memset(out, 0, l.end);

  pack_weights(plan, &l, weights->filter, packed);
  pack_passes(plan, (struct bnn_bconv2d_pass *)(void *)(out + l.passes));
  pack_pixels(plan, &l, weights, out);
  if (p->output == BNN_BCONV2D_BITS && !bnn_bconv2d_indexes(p)) return;

  int32_t *thresholds = (int32_t *)(void *)(out + l.thresholds);
  for (uint32_t t = 0; bnn_bconv2d_indexes(p) && t < p->thresholds; t++)
    for (uint32_t i = 0; i < l.filters_padded; i++) {
      const uint32_t filter = filter_at(plan, i);
      if (filter != NONE) thresholds[t * l.filters_padded + i] = weights->threshold[(size_t)t * p->sizes.filters + filter];
    }
  const float clamp_scale = plan->narrow ? -0.5f : 1.0f; /* a negative one swaps the clamps */
  const int32_t *lo = plan->narrow ? weights->clamp_hi : weights->clamp_lo;
  const int32_t *hi = plan->narrow ? weights->clamp_lo : weights->clamp_hi;
  pack_table(plan, &l, weights->multiplier, NULL, 1.0f, 1.0f / clamp_scale, (float *)(void *)(out + l.multiplier));
  pack_table(plan, &l, weights->bias, NULL, 0.0f, 1.0f, (float *)(void *)(out + l.bias));
  if (!plan->clamped) return;
  pack_table(plan, &l, NULL, lo, -INFINITY / clamp_scale, clamp_scale, (float *)(void *)(out + l.clamp_lo));
  pack_table(plan, &l, NULL, hi, INFINITY / clamp_scale, clamp_scale, (float *)(void *)(out + l.clamp_hi));
}
