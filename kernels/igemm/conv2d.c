/* SPDX-License-Identifier: Apache-2.0 */
#include "igemm/conv2d.h"

#include <string.h>

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
  MIN_UNITS = 16,   /* so that a handful of threads share even a small image evenly */
};

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

/* What a channel of a tile has besides weights. */
enum { BIAS, MANTISSA, LEFT, RIGHT, CONSTANTS };

/* What holds of all weights. */
struct traits {
  bool narrow; /* none is -128 */
  bool raised; /* some ratio is above 1 */
};

/* Sizes that follow from the problem and the kernel. */
struct layout {
  uint32_t group_channels, group_filters, group_tiles, tiles;
  uint32_t run;      /* codes, in whole kr */
  size_t tile_bytes; /* of weights */
  size_t constants, patches, traits, end; /* where they start in the packed weights, in bytes */
};

static struct layout layout_of(const struct bnn_iconv2d_plan *plan) {
  const struct bnn_iconv2d_problem *p = &plan->problem;
  const struct bnn_igemm_kernel *kernel = plan->kernel;
  struct layout l;
  l.group_channels = p->channels / p->groups;
  l.group_filters = p->filters / p->groups;
  l.group_tiles = ceil_div(l.group_filters, kernel->mr);
  l.tiles = p->groups * l.group_tiles;
  l.run = ceil_div(plan->patches.run_words, kernel->kr) * kernel->kr;
  l.tile_bytes = align64((size_t)plan->patches.runs * l.run * kernel->mr * bnn_igemm_code_bytes(kernel->form));
  l.constants = l.tile_bytes * l.tiles;
  l.patches = l.constants + align64((size_t)CONSTANTS * l.tiles * kernel->mr * sizeof(int32_t));
  l.traits = l.patches + align64((size_t)plan->patches.band_rows * plan->patches.out_w * sizeof(uint32_t));
  l.end = l.traits + align64(sizeof(struct traits));
  return l;
}

struct bnn_iconv2d_problem bnn_iconv2d_of_dense(uint32_t count, uint32_t inputs, uint32_t outputs) {
  return (struct bnn_iconv2d_problem){
      .batch = 1,
      .in_h = count, .in_w = 1, .channels = inputs,
      .out_h = count, .out_w = 1, .filters = outputs,
      .window = {.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1},
      .groups = 1,
  };
}

/* Channels that a wide tile adds up to its width cost as much as real ones; a quarter is worth its speed. */
static bool fits(const void *row, const void *problem) {
  const struct bnn_igemm_kernel *kernel = row;
  const struct bnn_iconv2d_problem *p = problem;
  const uint32_t filters = p->filters / p->groups, padded = ceil_div(filters, kernel->mr) * kernel->mr;
  return kernel->mr <= 8 || padded <= filters + filters / 4;
}

bool bnn_iconv2d_plan(struct bnn_iconv2d_plan *plan, const struct bnn_iconv2d_problem *problem,
                      const struct bnn_select *select) {
  const struct bnn_iconv2d_problem *p = problem;
  *plan = (struct bnn_iconv2d_plan){.problem = *p};
  plan->kernel = bnn_family_choose(&bnn_igemm_family, select, fits, p);
  if (!plan->kernel) return false;

  plan->patches = (struct bnn_patches){p->window, p->batch, p->in_h, p->in_w, p->out_h, p->out_w,
                                       .pixel_words = p->channels, .group_words = p->channels / p->groups};
  bnn_patches_plan(&plan->patches, BNN_ROWS, BAND_PIXELS, plan->kernel->nr);

  const struct layout l = layout_of(plan);
  const size_t pieces = (size_t)plan->patches.batch * plan->patches.bands * p->groups;
  const size_t wanted = (MIN_UNITS + pieces - 1) / pieces;
  plan->block_tiles = ceil_div(l.group_tiles, wanted < l.group_tiles ? (uint32_t)wanted : l.group_tiles);
  plan->blocks = ceil_div(l.group_tiles, plan->block_tiles);
  plan->units = pieces * plan->blocks;
  plan->packed_bytes = l.end;
  const size_t pixels = (size_t)plan->patches.band_rows * plan->patches.out_w;
  plan->scratch_bytes = align64(bnn_igemm_rows_bytes(plan)) + align64(pixels * plan->kernel->mr);
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
  for (uint32_t group = 0; group < plan->problem.groups; group++)
    for (uint32_t channel = 0; channel < l.group_filters; channel++) {
      const uint32_t index = group * l.group_tiles + channel / kernel->mr, c = channel % kernel->mr;
      const uint32_t from = group * l.group_filters + channel;
      const int8_t *filter = weights->filter + from * taps;
      void *tile = bytes + index * l.tile_bytes;
      for (size_t i = 0; i < taps; i++) {
        set_weight(kernel, tile, i / p->run_words * l.run + i % p->run_words, c, filter[i]);
        traits.narrow &= filter[i] != INT8_MIN;
      }
      int32_t *constants = (int32_t *)(void *)(bytes + l.constants) + (size_t)index * CONSTANTS * kernel->mr + c;
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
  const uint32_t mr = plan->kernel->mr, filters = plan->problem.filters;
  tile->y = channels < mr ? aside : y;
  tile->y_step = channels < mr ? mr : filters;
  plan->kernel->run(tile);
  for (uint32_t p = 0; channels < mr && p < tile->pixel_count; p++)
    memcpy(y + (size_t)p * filters, aside + (size_t)p * mr, channels);
}

/* Units [begin, end) of one band and group: blocks of channel tiles, which share its laid out rows. */
static void run_blocks(const struct bnn_iconv2d_plan *plan, const uint8_t *packed, const int8_t *x, int8_t *y,
                       uint8_t *scratch, size_t begin, size_t end) {
  const struct bnn_iconv2d_problem *p = &plan->problem;
  const struct layout l = layout_of(plan);
  const size_t piece = begin / plan->blocks;
  const struct bnn_band band = bnn_patches_band(&plan->patches, piece / p->groups, (uint32_t)(piece % p->groups));
  struct traits traits;
  memcpy(&traits, packed + l.traits, sizeof traits);
  struct bnn_igemm_tile tile = {
      .x = bnn_igemm_lay_out(plan, &band, x, scratch),
      .patches = (const uint32_t *)(const void *)(packed + l.patches),
      .pixel_count = (band.end - band.begin) * plan->patches.out_w,
      .runs = plan->patches.runs,
      .between_runs = plan->patches.between_runs,
      .run = l.run,
      .y_zero = p->y_zero,
      .lo = p->lo,
      .hi = p->hi,
      .narrow = traits.narrow,
  };
  y += ((size_t)band.image * plan->patches.out_h + band.begin) * plan->patches.out_w * p->filters;
  const uint32_t mr = plan->kernel->mr, first = (uint32_t)(begin % plan->blocks) * plan->block_tiles;
  const uint32_t past = first + (uint32_t)(end - begin) * plan->block_tiles;
  int8_t *aside = (int8_t *)scratch + align64(bnn_igemm_rows_bytes(plan));
  for (uint32_t i = first; i < past && i < l.group_tiles; i++) {
    const size_t index = (size_t)band.group * l.group_tiles + i;
    const uint32_t left = l.group_filters - i * mr;
    const int32_t *constants = (const int32_t *)(const void *)(packed + l.constants) + index * CONSTANTS * mr;
    tile.weights = packed + index * l.tile_bytes;
    tile.bias = constants + BIAS * mr;
    tile.mantissa = constants + MANTISSA * mr;
    tile.left = traits.raised ? constants + LEFT * mr : NULL;
    tile.right = constants + RIGHT * mr;
    run_tile(plan, &tile, y + (size_t)band.group * l.group_filters + i * mr, left < mr ? left : mr, aside);
  }
}

void bnn_iconv2d_run(const struct bnn_iconv2d_plan *plan, const void *packed, const int8_t *x, int8_t *y, void *scratch,
                     size_t begin, size_t end) {
  while (begin < end) {
    const size_t stop = (begin / plan->blocks + 1) * plan->blocks;
    run_blocks(plan, packed, x, y, scratch, begin, stop < end ? stop : end);
    begin = stop;
  }
}

const char *bnn_iconv2d_kernel_name(const struct bnn_iconv2d_plan *plan) { return plan->kernel->kernel.name; }
