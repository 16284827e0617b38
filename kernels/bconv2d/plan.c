/* SPDX-License-Identifier: Apache-2.0 */
/* Planning: which kernel, how input rows are laid out, how the work is cut into units. */
#include "base/sizes.h"
#include "bconv2d/layout.h"

static const struct bnn_bconv2d_kernel rows[] = {
#define BNN_BCONV2D(mr, nr, lanes, kr, form, sum_bits, isa, ISA, TUNING)                                            \
  {{"bconv2d", "bconv2d_" #mr "x" #nr "_" #isa, BNN_ISA_##ISA, BNN_TUNING_##TUNING}, mr, nr, lanes, kr, sum_bits, \
   BNN_BCONV2D_##form, bnn_bconv2d_##mr##x##nr##_##isa},
#include "bconv2d/kernels.inc"
#undef BNN_BCONV2D
};

extern const struct bnn_family bnn_bconv2d_family;
const struct bnn_family bnn_bconv2d_family = {"bconv2d", rows, sizeof rows / sizeof *rows, sizeof *rows};

enum {
  BAND_PIXELS = 96, /* enough to use a tile's weights well, few enough that patches and half-written lines of output stay
                       in the first cache from one tile to the next */
  PARITY_PIXELS = 192, /* rows of input that a band shares are copied once then, and its tiles write whole lines of floats */
  EXACT_FLOAT = 1 << 24, /* beyond which floats are no longer every integer */
  NARROW_WORDS_16 = 1023,  /* of a run whose sums, and a limit beyond them, fit a signed 16-bit number */
  NARROW_WORDS_32 = 65535, /* whose sums can be part of BNN_BCONV2D_ZERO */
};

static struct bnn_bconv2d_layout layout_of(const struct bnn_bconv2d_plan *plan) {
  const struct bnn_bconv2d_problem *p = &plan->problem;
  struct bnn_bconv2d_layout l;
  l.group_channels = p->sizes.channels / p->sizes.groups;
  l.group_words = bnn_ceil_div(l.group_channels, 32);
  l.group_padded = plan->tiles.group_tiles * plan->tiles.mr;
  l.filters_padded = plan->tiles.tiles * plan->tiles.mr;
  l.plane_words = (size_t)plan->kernel->mr * bnn_bconv2d_words(plan);
  l.tile_words = l.plane_words * p->w_planes.count;
  const size_t table = bnn_aligned(l.filters_padded * sizeof(float));
  const bool indexes = bnn_bconv2d_indexes(p), f32 = p->output == BNN_BCONV2D_F32 || indexes;
  l.rows = bnn_aligned(l.tile_words * sizeof(uint32_t) * plan->tiles.tiles);
  l.pixels = l.rows + bnn_aligned((size_t)plan->classes_y * plan->classes_x * l.filters_padded * bnn_bconv2d_entry(plan));
  l.list_bytes = (size_t)plan->patches.band_rows * plan->patches.out_w * sizeof(struct bnn_bconv2d_pixel);
  l.lists = l.pixels + bnn_aligned(plan->lists * l.list_bytes);
  l.passes = l.lists + bnn_aligned(plan->patches.bands * sizeof(uint32_t));
  l.thresholds = l.passes + bnn_aligned(plan->passes * sizeof(struct bnn_bconv2d_pass));
  l.multiplier = l.thresholds + (indexes ? p->thresholds * table : 0);
  l.bias = l.multiplier + (f32 ? table : 0);
  l.clamp_lo = l.bias + (f32 ? table : 0);
  l.clamp_hi = l.clamp_lo + (plan->clamped ? table : 0);
  l.end = l.clamp_hi + (plan->clamped ? table : 0);
  return l;
}

static struct bnn_bconv2d_scratch scratch_of(const struct bnn_bconv2d_plan *plan) {
  const size_t pixels = (size_t)plan->patches.band_rows * plan->patches.out_w;
  struct bnn_bconv2d_scratch s;
  s.patches = 0;
  const size_t extent = bnn_patches_extent(&plan->patches, plan->patches.band_rows), planes = plan->problem.x_planes.count;
  s.split = s.patches + bnn_aligned(planes * bnn_patches_bytes(&plan->patches));
  s.aside = s.split + (plan->kernel->form == BNN_BCONV2D_NIBBLES ? bnn_aligned(planes * 2 * extent * sizeof(uint32_t)) : 0);
  s.bits = s.aside + bnn_aligned(pixels * plan->kernel->mr * sizeof(float));
  s.end = s.bits + bnn_aligned(plan->problem.y_planes.count * plan->kernel->mr / 8);
  return s;
}

bool bnn_bconv2d_inside(const struct bnn_axis *a, uint32_t position, uint32_t tap) {
  const int64_t at = bnn_axis_origin(a, position) + (int64_t)tap * a->dilation;
  return at >= 0 && at < a->in;
}

bool bnn_bconv2d_starts_class(const struct bnn_bconv2d_plan *plan, const struct bnn_axis *a, uint32_t position) {
  if (!position || plan->problem.border == BNN_BORDER_ONE) return false;
  for (uint32_t tap = 0; tap < a->kernel; tap++)
    if (bnn_bconv2d_inside(a, position - 1, tap) != bnn_bconv2d_inside(a, position, tap)) return true;
  return false;
}

static uint32_t count_classes(const struct bnn_bconv2d_plan *plan, struct bnn_axis axis) {
  uint32_t count = 1;
  for (uint32_t i = 0; i < axis.out; i++) count += bnn_bconv2d_starts_class(plan, &axis, i);
  return count;
}

bool bnn_bconv2d_starts_list(const struct bnn_bconv2d_plan *plan, uint32_t band) {
  const struct bnn_axis y = bnn_axis_y(&plan->patches);
  const uint32_t rows = plan->patches.band_rows;
  for (uint32_t row = band ? (band - 1) * rows + 1 : y.out; row < (band + 1) * rows && row < y.out; row++)
    if (bnn_bconv2d_starts_class(plan, &y, row)) return true;
  return false;
}

static bool fits(const void *row, const void *problem) {
  const struct bnn_bconv2d_kernel *kernel = row;
  const struct bnn_bconv2d_problem *p = problem;
  return bnn_tiles_fit(&p->sizes, kernel->mr, 16);
}

bool bnn_bconv2d_plan(struct bnn_bconv2d_plan *plan, const struct bnn_bconv2d_problem *problem, bool clamped,
                      const struct bnn_select *select) {
  *plan = (struct bnn_bconv2d_plan){.problem = *problem, .clamped = clamped && problem->output == BNN_BCONV2D_F32};
  struct bnn_bconv2d_problem *p = &plan->problem;
  p->x_planes.count = p->x_planes.count ? p->x_planes.count : 1;
  p->w_planes.count = p->w_planes.count ? p->w_planes.count : 1;
  p->y_planes.count = p->y_planes.count ? p->y_planes.count : 1;
  p->thresholds = p->thresholds ? p->thresholds : 1;
  plan->passes = p->x_planes.count * p->w_planes.count;
  plan->kernel = bnn_family_choose(&bnn_bconv2d_family, select, fits, p);
  if (!plan->kernel) return false;

  const struct bnn_convolution *s = &p->sizes;
  plan->patches = (struct bnn_patches){s->window, s->batch, s->in_h, s->in_w, s->out_h, s->out_w,
                                       .pixel_words = p->x_planes.count * bnn_ceil_div(s->channels, 32),
                                       .group_words = bnn_ceil_div(s->channels / s->groups, 32)};
  const bool parity = plan->kernel->form == BNN_BCONV2D_PARITY && s->window.kernel_h == 3;
  bnn_patches_plan(&plan->patches, parity ? BNN_PARITY : BNN_COLUMNS, parity ? PARITY_PIXELS : BAND_PIXELS,
                   plan->kernel->nr);
  plan->tiles = bnn_tiles_of(s, &plan->patches, plan->kernel->mr);
  plan->units = bnn_bconv2d_scatters(p) ? (size_t)plan->patches.batch * plan->patches.bands : plan->tiles.units;
  const bool even = s->channels / s->groups % 2 == 0, limits = p->output == BNN_BCONV2D_BITS && !bnn_bconv2d_indexes(p);
  const uint32_t narrow_words = plan->kernel->sum_bits == 16 ? NARROW_WORDS_16 : NARROW_WORDS_32;
  plan->narrow = plan->passes == 1 && bnn_patches_words(&plan->patches) <= narrow_words && (even || limits);
  const int64_t worth = (int64_t)bnn_bconv2d_worth(&p->x_planes) * bnn_bconv2d_worth(&p->w_planes);
  if (bnn_bconv2d_indexes(p) && worth * bnn_patches_words(&plan->patches) * 32 >= EXACT_FLOAT) return false;
  plan->classes_y = count_classes(plan, bnn_axis_y(&plan->patches));
  plan->classes_x = count_classes(plan, bnn_axis_x(&plan->patches));
  plan->lists = 1;
  for (uint32_t i = 0; i < plan->patches.bands; i++) plan->lists += bnn_bconv2d_starts_list(plan, i);

  plan->layout = layout_of(plan);
  plan->packed_bytes = plan->layout.end;
  plan->scratch = scratch_of(plan);
  plan->scratch_bytes = plan->scratch.end;
  return true;
}

const char *bnn_bconv2d_kernel_name(const struct bnn_bconv2d_plan *plan) { return plan->kernel->kernel.name; }
