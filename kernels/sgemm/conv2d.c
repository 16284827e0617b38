/* SPDX-License-Identifier: Apache-2.0 */
#include "sgemm/kernel.h"

#include <string.h>

#include "base/sizes.h"

static const struct bnn_sgemm_kernel rows[] = {
#define BNN_SGEMM(mr, nr, isa, ISA, TUNING)                                                    \
  {{"sgemm", "sgemm_" #mr "x" #nr "_" #isa, BNN_ISA_##ISA, BNN_TUNING_##TUNING}, mr, nr, \
   bnn_sgemm_##mr##x##nr##_##isa},
#include "sgemm/kernels.inc"
#undef BNN_SGEMM
};

extern const struct bnn_family bnn_sgemm_family;
const struct bnn_family bnn_sgemm_family = {"sgemm", rows, sizeof rows / sizeof *rows, sizeof *rows};

enum {
  BAND_PIXELS = 48, /* enough to use a tile's weights well, few enough that the band stays in the caches */
};

/* Sizes that follow from the problem and the kernel, in floats. */
struct layout {
  size_t taps; /* of a patch */
  size_t tile_floats;
  size_t bias, patches, end; /* where they start in the packed weights */
};

static struct layout layout_of(const struct bnn_conv2d_plan *plan) {
  struct layout l;
  l.taps = (size_t)plan->patches.runs * plan->patches.run_words;
  l.tile_floats = l.taps * plan->kernel->mr;
  l.bias = l.tile_floats * plan->tiles.tiles;
  l.patches = l.bias + (size_t)plan->tiles.tiles * plan->kernel->mr;
  l.end = l.patches + (size_t)plan->patches.band_rows * plan->patches.out_w;
  return l;
}

/* Byte offsets in a thread's scratch, which begins with the patches: a tile's output where not all of its channels exist. */
struct scratch {
  size_t aside, end;
};

static struct scratch scratch_of(const struct bnn_conv2d_plan *plan) {
  const size_t pixels = (size_t)plan->patches.band_rows * plan->patches.out_w;
  struct scratch s;
  s.aside = bnn_aligned(bnn_patches_bytes(&plan->patches));
  s.end = s.aside + bnn_aligned(pixels * plan->kernel->mr * sizeof(float));
  return s;
}

static bool fits(const void *row, const void *problem) {
  const struct bnn_sgemm_kernel *kernel = row;
  const struct bnn_conv2d_problem *p = problem;
  return bnn_tiles_fit(&p->sizes, kernel->mr, 8);
}

bool bnn_conv2d_plan(struct bnn_conv2d_plan *plan, const struct bnn_conv2d_problem *problem,
                     const struct bnn_select *select) {
  const struct bnn_convolution *sizes = &problem->sizes;
  *plan = (struct bnn_conv2d_plan){.problem = *problem};
  plan->kernel = bnn_family_choose(&bnn_sgemm_family, select, fits, problem);
  if (!plan->kernel) return false;

  plan->patches = bnn_patches_of(sizes, sizes->channels, sizes->channels / sizes->groups);
  memcpy(&plan->patches.fill, &problem->pad_value, sizeof problem->pad_value);
  bnn_patches_plan(&plan->patches, BNN_ROWS, BAND_PIXELS, plan->kernel->nr);
  plan->tiles = bnn_tiles_of(sizes, &plan->patches, plan->kernel->mr);
  plan->units = plan->tiles.units;
  plan->packed_bytes = bnn_aligned(layout_of(plan).end * sizeof(float));
  plan->scratch_bytes = scratch_of(plan).end;
  return true;
}

void bnn_conv2d_pack(const struct bnn_conv2d_plan *plan, const float *filter, const float *bias, void *packed) {
  const struct layout l = layout_of(plan);
  const uint32_t mr = plan->kernel->mr;
  float *weights = packed, *biases = weights + l.bias;
  for (uint32_t group = 0; group < plan->problem.sizes.groups; group++)
    for (uint32_t tile = 0; tile < plan->tiles.group_tiles; tile++) {
      const struct bnn_tile_place place = bnn_tile_place(&plan->tiles, group, tile);
      for (uint32_t c = 0; c < mr; c++) {
        const bool exists = c < place.channels;
        const size_t from = place.first + c;
        float *to = weights + place.index * l.tile_floats + c;
        for (size_t i = 0; i < l.taps; i++) to[i * mr] = exists ? filter[from * l.taps + i] : 0.0f;
        biases[place.index * mr + c] = exists && bias ? bias[from] : 0.0f;
      }
    }
  bnn_patches_list(&plan->patches, (uint32_t *)(void *)(weights + l.patches));
}

/* Where not all of a tile's channels exist, it is written aside and those that do are copied. */
static void run_tile(const struct bnn_conv2d_plan *plan, struct bnn_sgemm_tile *tile, float *y, uint32_t channels,
                     float *aside) {
  const uint32_t mr = plan->kernel->mr, filters = plan->problem.sizes.filters;
  tile->y = channels < mr ? aside : y;
  tile->y_step = channels < mr ? mr : filters;
  plan->kernel->run(tile);
  for (uint32_t p = 0; channels < mr && p < tile->pixel_count; p++)
    memcpy(y + (size_t)p * filters, aside + p * mr, channels * sizeof *y);
}

static void run_piece(const struct bnn_conv2d_plan *plan, const float *packed, const float *x, float *y, char *scratch,
                      const struct bnn_piece *piece) {
  const struct layout l = layout_of(plan);
  struct bnn_sgemm_tile tile = {
      .x = (const float *)bnn_patches_lay_out(&plan->patches, &piece->band, (const uint32_t *)x, (uint32_t *)(void *)scratch),
      .patches = (const uint32_t *)(const void *)(packed + l.patches),
      .pixel_count = piece->pixel_count,
      .runs = plan->patches.runs,
      .between_runs = plan->patches.between_runs,
      .run_words = plan->patches.run_words,
      .lo = plan->problem.lo,
      .hi = plan->problem.hi,
  };
  y += piece->first_pixel * plan->problem.sizes.filters;
  float *aside = (float *)(void *)(scratch + scratch_of(plan).aside);
  for (uint32_t i = piece->begin; i < piece->end; i++) {
    const struct bnn_tile_place place = bnn_tile_place(&plan->tiles, piece->band.group, i);
    tile.weights = packed + place.index * l.tile_floats;
    tile.bias = packed + l.bias + place.index * plan->kernel->mr;
    run_tile(plan, &tile, y + place.first, place.channels, aside);
  }
}

void bnn_conv2d_run(const struct bnn_conv2d_plan *plan, const void *packed, const float *x, float *y, void *scratch,
                    size_t begin, size_t end) {
  while (begin < end) {
    const struct bnn_piece piece = bnn_tiles_take(&plan->tiles, &plan->patches, &begin, end);
    run_piece(plan, packed, x, y, scratch, &piece);
  }
}

const char *bnn_conv2d_kernel_name(const struct bnn_conv2d_plan *plan) { return plan->kernel->kernel.name; }
