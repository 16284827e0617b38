/* SPDX-License-Identifier: Apache-2.0 */
/* How the output of a convolution is cut into units of work: by bands of pixels (base/patches.h) and groups, and where
 * those are few, by blocks of the group's tiles of channels. */
#ifndef BNN_BASE_TILES_H
#define BNN_BASE_TILES_H

#include "base/patches.h"

struct bnn_tiles {
  uint32_t mr;                         /* channels of a tile */
  uint32_t group_filters, group_tiles; /* the last tile of a group need not be full */
  uint32_t tiles;                      /* of all groups */
  uint32_t block_tiles, blocks;        /* tiles of a unit; units of a band and group */
  size_t units;
};

/* Whether tiles of mr channels waste little: those that a wide tile adds up to its width cost as much as real ones, and its
 * output is copied; a quarter is worth its speed. Tiles of at most `narrow` channels take any convolution. */
bool bnn_tiles_fit(const struct bnn_convolution *sizes, uint32_t mr, uint32_t narrow);

struct bnn_tiles bnn_tiles_of(const struct bnn_convolution *sizes, const struct bnn_patches *patches, uint32_t mr);

/* What a run of units has to do in one band and group, whose rows are laid out once for all of it. */
struct bnn_piece {
  struct bnn_band band;
  size_t first_pixel; /* of the output, counted over all images */
  uint32_t pixel_count;
  uint32_t begin, end; /* tiles of the group */
};

/* The first of the pieces of units [*begin, end); *begin becomes the unit after it. */
struct bnn_piece bnn_tiles_take(const struct bnn_tiles *tiles, const struct bnn_patches *patches, size_t *begin, size_t end);

/* One tile of a piece. */
struct bnn_tile_place {
  size_t index;      /* over all groups */
  size_t first;      /* channel, of the output */
  uint32_t channels; /* that exist */
};

static inline struct bnn_tile_place bnn_tile_place(const struct bnn_tiles *t, uint32_t group, uint32_t tile) {
  const uint32_t before = tile * t->mr, left = t->group_filters - before;
  return (struct bnn_tile_place){
      .index = (size_t)group * t->group_tiles + tile,
      .first = (size_t)group * t->group_filters + before,
      .channels = left < t->mr ? left : t->mr,
  };
}

#endif
