/* SPDX-License-Identifier: Apache-2.0 */
#include "igemm/conv2d.h"

#include <string.h>

#include "base/sizes.h"
#include "igemm/kernel.h"

static const struct bnn_igemm_kernel rows[] = {
#define BNN_IGEMM(mr, nr, kr, form, isa, ISA, TUNING)                                                                 \
  {{"igemm", "igemm_" #mr "x" #nr "_" #isa, BNN_ISA_##ISA, BNN_TUNING_##TUNING}, mr, nr, kr, BNN_IGEMM_##form, \
   bnn_igemm_##mr##x##nr##_##isa},
#include "igemm/kernels.inc"
#undef BNN_IGEMM
};

extern const struct bnn_family bnn_igemm_family;
const struct bnn_family bnn_igemm_family = {"igemm", rows, sizeof rows / sizeof *rows, sizeof *rows};

enum {
  BAND_PIXELS = 96, /* enough to use a tile's weights well, few enough that the band stays in the caches */
};

/* What a channel of a tile has besides weights. */
enum { BIAS, MANTISSA, LEFT, RIGHT, CONSTANTS };

/* What holds of all weights. */
struct traits {
  bool narrow; /* none is -128 */
  bool raised; /* some ratio is above 1 */
};

/* Sizes that follow from the problem and the kernel. */
struct layout {
  uint32_t run;      /* codes, in whole kr */
  size_t tile_bytes; /* of weights */
  size_t constants, patches, traits, end; /* where they start in the packed weights, in bytes */
};

static struct layout layout_of(const struct bnn_iconv2d_plan *plan) {
  const struct bnn_igemm_kernel *kernel = plan->kernel;
  const struct bnn_patches *patches = &plan->patches;
  const uint32_t tiles = plan->tiles.tiles;
  struct layout l;
  l.run = bnn_round_up(patches->run_words, kernel->kr);
  l.tile_bytes = bnn_aligned((size_t)patches->runs * l.run * kernel->mr * bnn_igemm_code_bytes(kernel->form));
  l.constants = l.tile_bytes * tiles;
  l.patches = l.constants + bnn_aligned((size_t)CONSTANTS * tiles * kernel->mr * sizeof(int32_t));
  l.traits = l.patches + bnn_aligned((size_t)patches->band_rows * patches->out_w * sizeof(uint32_t));
  l.end = l.traits + bnn_aligned(sizeof(struct traits));
  return l;
}

static bool fits(const void *row, const void *problem) {
  const struct bnn_igemm_kernel *kernel = row;
  const struct bnn_iconv2d_problem *p = problem;
  return bnn_tiles_fit(&p->sizes, kernel->mr, 8);
}

bool bnn_iconv2d_plan(struct bnn_iconv2d_plan *plan, const struct bnn_iconv2d_problem *problem,
                      const struct bnn_select *select) {
  const struct bnn_convolution *sizes = &problem->sizes;
  *plan = (struct bnn_iconv2d_plan){.problem = *problem};
  plan->kernel = bnn_family_choose(&bnn_igemm_family, select, fits, problem);
  if (!plan->kernel) return false;

  plan->patches = bnn_patches_of(sizes, sizes->channels, sizes->channels / sizes->groups);
  bnn_patches_plan(&plan->patches, BNN_ROWS, BAND_PIXELS, plan->kernel->nr);
  plan->tiles = bnn_tiles_of(sizes, &plan->patches, plan->kernel->mr);
  plan->units = plan->tiles.units;
  plan->packed_bytes = layout_of(plan).end;
  const size_t pixels = (size_t)plan->patches.band_rows * plan->patches.out_w;
  plan->scratch_bytes = bnn_aligned(bnn_igemm_rows_bytes(plan)) + bnn_aligned(pixels * plan->kernel->mr);
  return true;
}

/* Code i of channel c of a tile, where its kernel looks for it. */
static void set_weight(const struct bnn_igemm_kernel *kernel, void *tile, size_t i, uint32_t c, int8_t code) {
  const size_t at = (i / kernel->kr * kernel->mr + c) * kernel->kr + i % kernel->kr;
  if (kernel->form == BNN_IGEMM_S16)
    ((int16_t *)tile)[at] = code;
  else
    ((int8_t *)tile)[at] = code;
}

/* sum((x - zero) * w) = sum(form(x) * w) - (form(0) + zero) * sum(w), form being what a kernel adds to each code. */
static int32_t folded_bias(const struct bnn_iconv2d_plan *plan, const int8_t *filter, size_t taps, int32_t bias) {
  const int32_t form = plan->kernel->form == BNN_IGEMM_U8 ? 128 : 0;
  int32_t sum = 0;
  for (size_t i = 0; i < taps; i++) sum += filter[i];
  return bias - (form + plan->problem.x_zero) * sum;
}

void bnn_iconv2d_pack(const struct bnn_iconv2d_plan *plan, const struct bnn_iconv2d_weights *weights, void *packed) {
  const struct layout l = layout_of(plan);
  const struct bnn_patches *p = &plan->patches;
  const struct bnn_igemm_kernel *kernel = plan->kernel;
  const size_t taps = (size_t)p->runs * p->run_words;
  uint8_t *bytes = packed;
  memset(packed, 0, l.end);
  struct traits traits = {.narrow = true};
  for (uint32_t from = 0; from < plan->problem.sizes.filters; from++) {
    const uint32_t channel = from % plan->tiles.group_filters, c = channel % kernel->mr;
    const size_t index = (size_t)(from / plan->tiles.group_filters) * plan->tiles.group_tiles + channel / kernel->mr;
    const int8_t *filter = weights->filter + from * taps;
    void *tile = bytes + index * l.tile_bytes;
    for (size_t i = 0; i < taps; i++) {
      set_weight(kernel, tile, i / p->run_words * l.run + i % p->run_words, c, filter[i]);
      traits.narrow &= filter[i] != INT8_MIN;
    }
    int32_t *constants = (int32_t *)(void *)(bytes + l.constants) + index * CONSTANTS * kernel->mr + c;
    constants[BIAS * kernel->mr] = folded_bias(plan, filter, taps, weights->bias ? weights->bias[from] : 0);
    constants[MANTISSA * kernel->mr] = weights->ratio[from].mantissa;
    constants[LEFT * kernel->mr] = weights->ratio[from].left;
    constants[RIGHT * kernel->mr] = weights->ratio[from].right;
    traits.raised |= weights->ratio[from].left > 0;
  }
  memcpy(bytes + l.traits, &traits, sizeof traits);
  bnn_patches_list(p, (uint32_t *)(void *)(bytes + l.patches));
}

/* Where not all of a tile's channels exist, it is written aside and those that do are copied. */
static void run_tile(const struct bnn_iconv2d_plan *plan, struct bnn_igemm_tile *tile, int8_t *y, uint32_t channels,
                     int8_t *aside) {
  const uint32_t mr = plan->kernel->mr, filters = plan->problem.sizes.filters;
  tile->y = channels < mr ? aside : y;
  tile->y_step = channels < mr ? mr : filters;
  plan->kernel->run(tile);
  for (uint32_t p = 0; channels < mr && p < tile->pixel_count; p++)
    memcpy(y + (size_t)p * filters, aside + (size_t)p * mr, channels);
}

static void run_piece(const struct bnn_iconv2d_plan *plan, const uint8_t *packed, const int8_t *x, int8_t *y,
                      uint8_t *scratch, const struct bnn_piece *piece) {
  const struct bnn_iconv2d_problem *p = &plan->problem;
  const struct layout l = layout_of(plan);
  struct traits traits;
  memcpy(&traits, packed + l.traits, sizeof traits);
  struct bnn_igemm_tile tile = {
      .x = bnn_igemm_lay_out(plan, &piece->band, x, scratch),
      .patches = (const uint32_t *)(const void *)(packed + l.patches),
      .pixel_count = piece->pixel_count,
      .runs = plan->patches.runs,
      .between_runs = plan->patches.between_runs,
      .run = l.run,
      .y_zero = p->y_zero,
      .lo = p->lo,
      .hi = p->hi,
      .narrow = traits.narrow,
  };
  y += piece->first_pixel * p->sizes.filters;
  int8_t *aside = (int8_t *)scratch + bnn_aligned(bnn_igemm_rows_bytes(plan));
  const uint32_t mr = plan->kernel->mr;
  for (uint32_t i = piece->begin; i < piece->end; i++) {
    const struct bnn_tile_place place = bnn_tile_place(&plan->tiles, piece->band.group, i);
    const int32_t *constants = (const int32_t *)(const void *)(packed + l.constants) + place.index * CONSTANTS * mr;
    tile.weights = packed + place.index * l.tile_bytes;
    tile.bias = constants + BIAS * mr;
    tile.mantissa = constants + MANTISSA * mr;
    tile.left = traits.raised ? constants + LEFT * mr : NULL;
    tile.right = constants + RIGHT * mr;
    run_tile(plan, &tile, y + place.first, place.channels, aside);
  }
}

void bnn_iconv2d_run(const struct bnn_iconv2d_plan *plan, const void *packed, const int8_t *x, int8_t *y, void *scratch,
                     size_t begin, size_t end) {
  while (begin < end) {
    const struct bnn_piece piece = bnn_tiles_take(&plan->tiles, &plan->patches, &begin, end);
    run_piece(plan, packed, x, y, scratch, &piece);
  }
}

const char *bnn_iconv2d_kernel_name(const struct bnn_iconv2d_plan *plan) { return plan->kernel->kernel.name; }
