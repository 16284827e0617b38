/* SPDX-License-Identifier: Apache-2.0 */
#include "sgemm/kernel.h"

#include <string.h>

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
  MIN_UNITS = 16,   /* so that a handful of threads share even a small image evenly */
};

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

/* Sizes that follow from the problem and the kernel, in floats. */
struct layout {
  uint32_t group_channels, group_filters, group_tiles;
  size_t taps; /* of a patch */
  size_t tile_floats;
  size_t bias, patches, end; /* where they start in the packed weights */
};

static struct layout layout_of(const struct bnn_conv2d_plan *plan) {
  const struct bnn_conv2d_problem *p = &plan->problem;
  struct layout l;
  l.group_channels = p->channels / p->groups;
  l.group_filters = p->filters / p->groups;
  l.group_tiles = ceil_div(l.group_filters, plan->kernel->mr);
  l.taps = (size_t)plan->patches.runs * plan->patches.run_words;
  l.tile_floats = l.taps * plan->kernel->mr;
  l.bias = l.tile_floats * p->groups * l.group_tiles;
  l.patches = l.bias + (size_t)p->groups * l.group_tiles * plan->kernel->mr;
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
  s.aside = align64(bnn_patches_bytes(&plan->patches));
  s.end = s.aside + align64(pixels * plan->kernel->mr * sizeof(float));
  return s;
}

struct bnn_conv2d_problem bnn_conv2d_of_dense(uint32_t count, uint32_t inputs, uint32_t outputs, float lo, float hi) {
  return (struct bnn_conv2d_problem){
      .batch = 1,
      .in_h = count, .in_w = 1, .channels = inputs,
      .out_h = count, .out_w = 1, .filters = outputs,
      .window = {.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1},
      .groups = 1,
      .lo = lo, .hi = hi,
  };
}

/* Channels that a wide tile adds up to its width cost as much as real ones, and its output is copied; a quarter is worth its
 * speed. */
static bool fits(const void *row, const void *problem) {
  const struct bnn_sgemm_kernel *kernel = row;
  const struct bnn_conv2d_problem *p = problem;
  const uint32_t filters = p->filters / p->groups, padded = ceil_div(filters, kernel->mr) * kernel->mr;
  return kernel->mr <= 8 || padded <= filters + filters / 4;
}

bool bnn_conv2d_plan(struct bnn_conv2d_plan *plan, const struct bnn_conv2d_problem *problem,
                     const struct bnn_select *select) {
  const struct bnn_conv2d_problem *p = problem;
  *plan = (struct bnn_conv2d_plan){.problem = *p};
  plan->kernel = bnn_family_choose(&bnn_sgemm_family, select, fits, p);
  if (!plan->kernel) return false;

  plan->patches = (struct bnn_patches){p->window, p->batch, p->in_h, p->in_w, p->out_h, p->out_w,
                                       .pixel_words = p->channels, .group_words = p->channels / p->groups};
  memcpy(&plan->patches.fill, &p->pad_value, sizeof p->pad_value);
  bnn_patches_plan(&plan->patches, BNN_ROWS, BAND_PIXELS, plan->kernel->nr);

  const struct layout l = layout_of(plan);
  const size_t pieces = (size_t)plan->patches.batch * plan->patches.bands * p->groups;
  const size_t wanted = (MIN_UNITS + pieces - 1) / pieces;
  plan->block_tiles = ceil_div(l.group_tiles, wanted < l.group_tiles ? (uint32_t)wanted : l.group_tiles);
  plan->blocks = ceil_div(l.group_tiles, plan->block_tiles);
  plan->units = pieces * plan->blocks;
  plan->packed_bytes = align64(l.end * sizeof(float));
  plan->scratch_bytes = scratch_of(plan).end;
  return true;
}

void bnn_conv2d_pack(const struct bnn_conv2d_plan *plan, const float *filter, const float *bias, void *packed) {
  const struct layout l = layout_of(plan);
  const uint32_t mr = plan->kernel->mr;
  float *weights = packed, *biases = weights + l.bias;
  for (uint32_t group = 0; group < plan->problem.groups; group++)
    for (uint32_t tile = 0; tile < l.group_tiles; tile++)
      for (uint32_t c = 0; c < mr; c++) {
        const uint32_t channel = tile * mr + c, from = group * l.group_filters + channel;
        const bool exists = channel < l.group_filters;
        float *to = weights + (group * l.group_tiles + tile) * l.tile_floats + c;
        for (size_t i = 0; i < l.taps; i++) to[i * mr] = exists ? filter[from * l.taps + i] : 0.0f;
        biases[(group * l.group_tiles + tile) * mr + c] = exists && bias ? bias[from] : 0.0f;
      }
  bnn_patches_list(&plan->patches, (uint32_t *)(void *)(weights + l.patches));
}

/* Where not all of a tile's channels exist, it is written aside and those that do are copied. */
static void run_tile(const struct bnn_conv2d_plan *plan, struct bnn_sgemm_tile *tile, float *y, uint32_t channels,
                     float *aside) {
  const uint32_t mr = plan->kernel->mr, filters = plan->problem.filters;
  tile->y = channels < mr ? aside : y;
  tile->y_step = channels < mr ? mr : filters;
  plan->kernel->run(tile);
  for (uint32_t p = 0; channels < mr && p < tile->pixel_count; p++)
    memcpy(y + (size_t)p * filters, aside + p * mr, channels * sizeof *y);
}

/* Units [begin, end) of one band and group: blocks of channel tiles, which share its laid out rows. */
static void run_blocks(const struct bnn_conv2d_plan *plan, const float *packed, const float *x, float *y, char *scratch,
                       size_t begin, size_t end) {
  const struct bnn_conv2d_problem *p = &plan->problem;
  const struct layout l = layout_of(plan);
  const size_t piece = begin / plan->blocks;
  const struct bnn_band band = bnn_patches_band(&plan->patches, piece / p->groups, (uint32_t)(piece % p->groups));
  struct bnn_sgemm_tile tile = {
      .x = (const float *)bnn_patches_lay_out(&plan->patches, &band, (const uint32_t *)x, (uint32_t *)(void *)scratch),
      .patches = (const uint32_t *)(const void *)(packed + l.patches),
      .pixel_count = (band.end - band.begin) * plan->patches.out_w,
      .runs = plan->patches.runs,
      .between_runs = plan->patches.between_runs,
      .run_words = plan->patches.run_words,
      .lo = p->lo,
      .hi = p->hi,
  };
  y += ((size_t)band.image * plan->patches.out_h + band.begin) * plan->patches.out_w * p->filters;
  const uint32_t mr = plan->kernel->mr, first = (uint32_t)(begin % plan->blocks) * plan->block_tiles;
  const uint32_t past = first + (uint32_t)(end - begin) * plan->block_tiles;
  for (uint32_t i = first; i < past && i < l.group_tiles; i++) {
    const size_t index = (size_t)band.group * l.group_tiles + i;
    const uint32_t left = l.group_filters - i * mr;
    tile.weights = packed + index * l.tile_floats;
    tile.bias = packed + l.bias + index * mr;
    run_tile(plan, &tile, y + band.group * l.group_filters + i * mr, left < mr ? left : mr,
             (float *)(void *)(scratch + scratch_of(plan).aside));
  }
}

void bnn_conv2d_run(const struct bnn_conv2d_plan *plan, const void *packed, const float *x, float *y, void *scratch,
                    size_t begin, size_t end) {
  while (begin < end) {
    const size_t stop = (begin / plan->blocks + 1) * plan->blocks;
    run_blocks(plan, packed, x, y, scratch, begin, stop < end ? stop : end);
    begin = stop;
  }
}

const char *bnn_conv2d_kernel_name(const struct bnn_conv2d_plan *plan) { return plan->kernel->kernel.name; }
