/* SPDX-License-Identifier: Apache-2.0 */
/* Running: lays a band of input rows out and calls the kernel for one tile of channels after the other. */
#include <math.h>

#include "bconv2d/layout.h"

/* Everything that the tiles of a run have in common. */
struct run {
  const struct bnn_bconv2d_plan *plan;
  const char *packed;
  const uint32_t *x;
  unsigned char *y;
  char *scratch;
  size_t y_step;
};

static const void *table(const struct run *run, size_t offset, size_t entry) { return run->packed + offset + entry; }

static void run_tile(const struct run *run, struct bnn_bconv2d_tile *tile, const struct bnn_piece *piece, uint32_t index) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  const struct bnn_bconv2d_layout *l = &plan->layout;
  const struct bnn_tile_place at = bnn_tile_place(&plan->tiles, piece->band.group, index);
  const uint32_t mr = plan->kernel->mr;
  const size_t channel = at.index * mr;
  tile->weights = (const uint32_t *)(const void *)run->packed + at.index * l->tile_words;
  tile->start = plan->narrow ? table(run, l->rows, channel * bnn_bconv2d_entry(plan)) : NULL;
  tile->base = plan->narrow ? NULL : table(run, l->rows, channel * sizeof(int32_t));
  tile->multiplier = table(run, l->multiplier, channel * sizeof(float));
  tile->bias = table(run, l->bias, channel * sizeof(float));
  tile->clamp_lo = plan->clamped ? table(run, l->clamp_lo, channel * sizeof(float)) : NULL;
  tile->clamp_hi = plan->clamped ? table(run, l->clamp_hi, channel * sizeof(float)) : NULL;

  const struct bnn_bconv2d_place place = {
      .y = run->y + piece->first_pixel * run->y_step,
      .y_step = run->y_step,
      .first = (uint32_t)at.first,
      .channels = at.channels,
  };
  const bool f32 = tile->output == BNN_BCONV2D_F32, indexes = bnn_bconv2d_indexes(&plan->problem);
  const bool codes = bnn_bconv2d_codes(&plan->problem);
  if (!indexes && !codes && place.channels == mr && (f32 || place.first % 8 == 0)) {
    tile->y = place.y + (f32 ? place.first * sizeof(float) : place.first / 8);
    tile->y_step = run->y_step;
    plan->kernel->run(tile);
    return;
  }
  tile->y = (unsigned char *)run->scratch + run->plan->scratch.aside;
  tile->y_step = f32 ? mr * sizeof(float) : mr / 8;
  plan->kernel->run(tile);
  if (indexes)
    bnn_bconv2d_put_index(&plan->problem, tile, table(run, l->thresholds, channel * sizeof(int32_t)), l->filters_padded, mr,
                          (unsigned char *)run->scratch + run->plan->scratch.bits, &place);
  else if (codes)
    bnn_bconv2d_put_codes(&plan->problem, tile, &place);
  else if (f32)
    bnn_bconv2d_put_floats(tile, &place);
  else
    bnn_bconv2d_put_bits(tile, &place);
}

static void split_words(const uint32_t *words, size_t count, uint32_t *split) {
  for (size_t i = 0; i < count; i++) {
    split[2 * i] = bnn_bconv2d_nibbles(words[i], 0);
    split[2 * i + 1] = bnn_bconv2d_nibbles(words[i], 1);
  }
}

/* The band's patches as the kernel reads them: where plane 0 starts, and in *step the bytes from plane to plane. */
static const uint32_t *lay_out(const struct run *run, const struct bnn_band *band, size_t *step) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  const struct bnn_patches *p = &plan->patches;
  const uint32_t planes = plan->problem.x_planes.count, plane_words = p->pixel_words / planes;
  const size_t copy_words = bnn_patches_bytes(p) / sizeof(uint32_t), extent = bnn_patches_extent(p, band->end - band->begin);
  uint32_t *copy = (uint32_t *)(void *)(run->scratch + run->plan->scratch.patches);
  uint32_t *split = (uint32_t *)(void *)(run->scratch + run->plan->scratch.split);
  const uint32_t *first = NULL;
  const bool nibbles = plan->kernel->form == BNN_BCONV2D_NIBBLES;
  for (uint32_t plane = 0; plane < planes; plane++) {
    const uint32_t *words = bnn_patches_lay_out(p, band, run->x + plane * plane_words, copy + plane * copy_words);
    if (nibbles) split_words(words, extent, split + plane * 2 * extent);
    if (!plane) first = words;
  }
  if (nibbles) {
    *step = 2 * extent * sizeof(uint32_t);
    return split;
  }
  *step = (p->layout == BNN_IN_PLACE ? plane_words : copy_words) * sizeof(uint32_t);
  return first;
}

/* Tiles of one band and group, which share its laid out rows. */
static void run_piece(const struct run *run, const struct bnn_piece *piece) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const uint32_t *lists = table(run, run->plan->layout.lists, 0), list = lists[piece->band.begin / plan->patches.band_rows];
  const bool indexes = bnn_bconv2d_indexes(p);
  size_t x_step;
  const uint32_t *x = lay_out(run, &piece->band, &x_step);
  struct bnn_bconv2d_tile tile = {
      .x = x,
      .pixels = table(run, run->plan->layout.pixels, list * run->plan->layout.list_bytes),
      .pixel_count = piece->pixel_count,
      .words = bnn_bconv2d_words(plan),
      .row_step = plan->patches.between_runs,
      .parity_step = plan->patches.parity,
      .passes = table(run, run->plan->layout.passes, 0),
      .pass_count = plan->passes,
      .x_step = x_step,
      .w_step = run->plan->layout.plane_words,
      .lo = indexes ? -INFINITY : p->lo,
      .hi = indexes ? INFINITY : p->hi,
      .output = indexes ? BNN_BCONV2D_F32 : p->output,
  };
  for (uint32_t index = piece->begin; index < piece->end; index++) run_tile(run, &tile, piece, index);
}

/* The words of a piece that tiles only add bits to, or whose end no tile writes, are cleared by who comes first or last. */
static void clear(const struct run *run, const struct bnn_piece *piece) {
  const struct bnn_bconv2d_plan *plan = run->plan;
  const struct bnn_bconv2d_problem *p = &plan->problem;
  const bool scatters = bnn_bconv2d_scatters(p), last = piece->band.group + 1 == p->sizes.groups;
  if (p->output != BNN_BCONV2D_BITS) return;
  if (scatters ? piece->band.group > 0 : !last || piece->end < plan->tiles.group_tiles) return;
  bnn_bconv2d_clear(p, run->y + piece->first_pixel * run->y_step, piece->pixel_count,
                    scatters ? 0 : (p->sizes.filters + 7) / 8);
}

void bnn_bconv2d_run(const struct bnn_bconv2d_plan *plan, const void *packed, const uint32_t *x, void *y, void *scratch,
                     size_t begin, size_t end) {
  const struct run run = {
      .plan = plan,
      .packed = packed,
      .x = x,
      .y = y,
      .scratch = scratch,
      .y_step = bnn_bconv2d_pixel_bytes(&plan->problem),
  };
  const size_t each = plan->tiles.units / plan->units;
  for (begin *= each, end *= each; begin < end;) {
    const struct bnn_piece piece = bnn_tiles_take(&plan->tiles, &plan->patches, &begin, end);
    clear(&run, &piece);
    run_piece(&run, &piece);
  }
}
