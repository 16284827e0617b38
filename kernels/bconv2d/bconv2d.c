/* SPDX-License-Identifier: Apache-2.0 */
/* Running: lays a band of input rows out and calls the kernel for one tile of channels after the other. */
#include "bconv2d/layout.h"

#include <string.h>

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Everything that the tiles of a run have in common. */
struct run {
  const struct bnn_bconv2d_plan *plan;
  struct bnn_bconv2d_layout layout;
  struct bnn_bconv2d_scratch offsets;
  const char *packed;
  const uint32_t *x;
  unsigned char *y;
  char *scratch;
  size_t y_step;
};

static size_t first_pixel(const struct bnn_bconv2d_plan *plan, const struct bnn_band *band) {
  return ((size_t)band->image * plan->patches.out_h + band->begin) * plan->patches.out_w;
}

static const void *table(const struct run *run, size_t offset, size_t entry) { return run->packed + offset + entry; }

/* Where a tile's output belongs: `channels` of it, from `first` on, in the pixels that start at y. */
struct place {
  unsigned char *y;
  size_t y_step;
  uint32_t first, channels;
};

static void put_floats(const struct bnn_bconv2d_tile *aside, const struct place *to) {
  for (uint32_t p = 0; p < aside->pixel_count; p++)
    memcpy(to->y + p * to->y_step + to->first * sizeof(float), aside->y + p * aside->y_step, to->channels * sizeof(float));
}

/* ORs the bits into the output, which starts as zeros where they begin within a byte. */
static void put_bits(const struct bnn_bconv2d_tile *aside, const struct place *to) {
  for (uint32_t p = 0; p < aside->pixel_count; p++) {
    const unsigned char *from = aside->y + p * aside->y_step;
    unsigned char *y = to->y + p * to->y_step + to->first / 8;
    for (uint32_t i = 0; i < to->channels; i += 8, from++, y++) {
      const uint32_t shift = to->first % 8, count = least(to->channels - i, 8);
      if (!shift) {
        *y = *from;
        continue;
      }
      *y |= (unsigned char)(*from << shift);
      if (shift + count > 8) y[1] |= (unsigned char)(*from >> (8 - shift));
    }
  }
}

static void run_tile(const struct run *run, struct bnn_bconv2d_tile *tile, const struct bnn_band *band, uint32_t index) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  const struct bnn_bconv2d_layout *l = &run->layout;
  const bool f32 = plan->problem.output == BNN_BCONV2D_F32;
  const uint32_t mr = plan->kernel->mr, packed_index = band->group * l->group_tiles + index;
  const size_t channel = (size_t)packed_index * mr;
  tile->weights = (const uint32_t *)(const void *)run->packed + packed_index * l->tile_words;
  tile->start = plan->narrow ? table(run, l->rows, channel * sizeof(int16_t)) : NULL;
  tile->base = plan->narrow ? NULL : table(run, l->rows, channel * sizeof(int32_t));
  tile->multiplier = table(run, l->multiplier, channel * sizeof(float));
  tile->bias = table(run, l->bias, channel * sizeof(float));
  tile->clamp_lo = plan->clamped ? table(run, l->clamp_lo, channel * sizeof(float)) : NULL;
  tile->clamp_hi = plan->clamped ? table(run, l->clamp_hi, channel * sizeof(float)) : NULL;

  const struct place place = {
      .y = run->y + first_pixel(plan, band) * run->y_step,
      .y_step = run->y_step,
      .first = band->group * l->group_filters + index * mr,
      .channels = least(l->group_filters - index * mr, mr),
  };
  if (place.channels == mr && (f32 || place.first % 8 == 0)) {
    tile->y = place.y + (f32 ? place.first * sizeof(float) : place.first / 8);
    tile->y_step = run->y_step;
    plan->kernel->run(tile);
    return;
  }
  tile->y = (unsigned char *)run->scratch + run->offsets.aside;
  tile->y_step = f32 ? mr * sizeof(float) : mr / 8;
  plan->kernel->run(tile);
  f32 ? put_floats(tile, &place) : put_bits(tile, &place);
}

/* The band's patches as the kernel reads them. */
static const uint32_t *lay_out(const struct run *run, const struct bnn_band *band) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  uint32_t *copy = (uint32_t *)(void *)(run->scratch + run->offsets.patches);
  const uint32_t *words = bnn_patches_lay_out(&plan->patches, band, run->x, copy);
  if (!plan->kernel->split) return words;
  uint32_t *split = (uint32_t *)(void *)(run->scratch + run->offsets.split);
  const size_t count = bnn_patches_extent(&plan->patches, band->end - band->begin);
  for (size_t i = 0; i < count; i++) {
    split[2 * i] = bnn_bconv2d_nibbles(words[i], 0);
    split[2 * i + 1] = bnn_bconv2d_nibbles(words[i], 1);
  }
  return split;
}

static void run_band(const struct run *run, const struct bnn_band *band, uint32_t tile_begin, uint32_t tile_end) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const uint32_t *lists = table(run, run->layout.lists, 0), list = lists[band->begin / plan->patches.band_rows];
  struct bnn_bconv2d_tile tile = {
      .x = lay_out(run, band),
      .pixels = table(run, run->layout.pixels, list * run->layout.list_bytes),
      .pixel_count = (band->end - band->begin) * plan->patches.out_w,
      .run_words = bnn_bconv2d_run_words(plan),
      .lo = p->lo,
      .hi = p->hi,
      .output = p->output,
  };
  for (uint32_t index = tile_begin; index < tile_end; index++) run_tile(run, &tile, band, index);
}

/* Bytes of an output pixel that no tile writes: those after the last channel's, up to the end of its word. */
static void clear_tail(const struct run *run, const struct bnn_band *band, size_t written) {
  const size_t count = (size_t)(band->end - band->begin) * run->plan->patches.out_w;
  unsigned char *y = run->y + first_pixel(run->plan, band) * run->y_step;
  for (size_t i = 0; written < run->y_step && i < count; i++, y += run->y_step)
    memset(y + written, 0, run->y_step - written);
}

/* Units [begin, end) of one band and group: blocks of channel tiles, which share its laid out rows. */
static void run_blocks(const struct run *run, size_t begin, size_t end) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const bool scatters = bnn_bconv2d_scatters(p);
  const size_t piece = begin / plan->blocks, groups = scatters ? 1 : p->groups;
  struct bnn_band band = bnn_patches_band(&plan->patches, piece / groups, (uint32_t)(piece % groups));
  if (p->output == BNN_BCONV2D_BITS && end % (plan->blocks * groups) == 0)
    clear_tail(run, &band, scatters ? 0 : (p->filters + 7) / 8);
  const uint32_t tile_begin = (uint32_t)(begin % plan->blocks) * plan->block_tiles;
  const uint32_t tile_end = least(tile_begin + (uint32_t)(end - begin) * plan->block_tiles, run->layout.group_tiles);
  const uint32_t group_end = scatters ? p->groups : band.group + 1;
  for (; band.group < group_end; band.group++) run_band(run, &band, tile_begin, tile_end);
}

void bnn_bconv2d_run(const struct bnn_bconv2d_plan *plan, const void *packed, const uint32_t *x, void *y, void *scratch,
                     size_t begin, size_t end) {
  const uint32_t filters = plan->problem.filters;
  const struct run run = {
      .plan = plan,
      .layout = bnn_bconv2d_layout_of(plan),
      .offsets = bnn_bconv2d_scratch_of(plan),
      .packed = packed,
      .x = x,
      .y = y,
      .scratch = scratch,
      .y_step = plan->problem.output == BNN_BCONV2D_F32 ? filters * sizeof(float) : (filters + 31) / 32 * sizeof(uint32_t),
  };
  while (begin < end) {
    const size_t stop = (begin / plan->blocks + 1) * plan->blocks;
    run_blocks(&run, begin, stop < end ? stop : end);
    begin = stop;
  }
}
