/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tiles.h"

#include "base/sizes.h"

enum {
  MIN_UNITS = 16, /* so that a handful of threads share even a small image evenly */
};

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

bool bnn_tiles_fit(const struct bnn_convolution *sizes, uint32_t mr, uint32_t narrow) {
  const uint32_t filters = sizes->filters / sizes->groups;
  return mr <= narrow || bnn_round_up(filters, mr) <= filters + filters / 4;
}

struct bnn_tiles bnn_tiles_of(const struct bnn_convolution *sizes, const struct bnn_patches *patches, uint32_t mr) {
  struct bnn_tiles t = {.mr = mr, .group_filters = sizes->filters / sizes->groups};
  t.group_tiles = bnn_ceil_div(t.group_filters, mr);
  t.tiles = sizes->groups * t.group_tiles;
  const size_t pieces = (size_t)patches->batch * patches->bands * sizes->groups;
  const size_t wanted = (MIN_UNITS + pieces - 1) / pieces;
  t.block_tiles = bnn_ceil_div(t.group_tiles, least((uint32_t)wanted, t.group_tiles));
  t.blocks = bnn_ceil_div(t.group_tiles, t.block_tiles);
  t.units = pieces * t.blocks;
  return t;
}

struct bnn_piece bnn_tiles_take(const struct bnn_tiles *t, const struct bnn_patches *patches, size_t *begin, size_t end) {
  const size_t index = *begin / t->blocks, first = *begin % t->blocks, next = (index + 1) * t->blocks;
  const size_t stop = next < end ? next : end, count = stop - *begin;
  const uint32_t groups = t->tiles / t->group_tiles;
  const struct bnn_band band = bnn_patches_band(patches, index / groups, (uint32_t)(index % groups));
  *begin = stop;
  return (struct bnn_piece){
      .band = band,
      .first_pixel = ((size_t)band.image * patches->out_h + band.begin) * patches->out_w,
      .pixel_count = (band.end - band.begin) * patches->out_w,
      .begin = (uint32_t)first * t->block_tiles,
      .end = least((uint32_t)(first + count) * t->block_tiles, t->group_tiles),
  };
}
