/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise/kernel.h"

#include <string.h>

#include "base/sizes.h"

static const struct bnn_depthwise_kernel rows[] = {
#define BNN_DEPTHWISE(mr, nr, isa, ISA, TUNING)                                                 \
  {{"depthwise", "depthwise_" #mr "x" #nr "_" #isa, BNN_ISA_##ISA, BNN_TUNING_##TUNING}, mr, \
   bnn_depthwise_##mr##x##nr##_##isa},
#include "depthwise/kernels.inc"
#undef BNN_DEPTHWISE
};

extern const struct bnn_family bnn_depthwise_family;
const struct bnn_family bnn_depthwise_family = {"depthwise", rows, sizeof rows / sizeof *rows, sizeof *rows};

enum {
  BAND_ROWS = 4, /* a band lays out again what the one before it did of the rows they share */
};

static uint32_t padded_channels(const struct bnn_depthwise_plan *plan) {
  return bnn_round_up(plan->problem.sizes.channels, plan->kernel->mr);
}

static uint32_t tap_count(const struct bnn_depthwise_plan *plan) {
  return plan->problem.sizes.window.kernel_h * plan->problem.sizes.window.kernel_w;
}

bool bnn_depthwise_plan(struct bnn_depthwise_plan *plan, const struct bnn_conv2d_problem *problem,
                        const struct bnn_select *select) {
  const struct bnn_convolution *sizes = &problem->sizes;
  *plan = (struct bnn_depthwise_plan){.problem = *problem};
  plan->kernel = bnn_family_choose(&bnn_depthwise_family, select, NULL, NULL);
  if (!plan->kernel) return false;

  /* One group: all channels of a pixel go the same way. */
  plan->patches = bnn_patches_of(sizes, sizes->channels, sizes->channels);
  memcpy(&plan->patches.fill, &problem->pad_value, sizeof problem->pad_value);
  bnn_patches_plan(&plan->patches, BNN_ROWS, BAND_ROWS * sizes->out_w, 1);
  plan->units = (size_t)plan->patches.batch * plan->patches.bands;
  const size_t pixels = (size_t)plan->patches.band_rows * plan->patches.out_w;
  plan->packed_bytes = bnn_aligned(((size_t)(tap_count(plan) + 1) * padded_channels(plan) + pixels) * sizeof(float));
  plan->scratch_bytes = bnn_aligned(bnn_patches_bytes(&plan->patches));
  return true;
}

void bnn_depthwise_pack(const struct bnn_depthwise_plan *plan, const float *filter, const float *bias, void *packed) {
  const uint32_t channels = plan->problem.sizes.channels, padded = padded_channels(plan), taps = tap_count(plan);
  float *weights = packed, *biases = weights + (size_t)taps * padded;
  for (uint32_t c = 0; c < padded; c++) {
    for (uint32_t tap = 0; tap < taps; tap++)
      weights[(size_t)tap * padded + c] = c < channels ? filter[(size_t)c * taps + tap] : 0.0f;
    biases[c] = c < channels && bias ? bias[c] : 0.0f;
  }
  bnn_patches_list(&plan->patches, (uint32_t *)(void *)(biases + padded));
}

void bnn_depthwise_run(const struct bnn_depthwise_plan *plan, const void *packed, const float *x, float *y, void *scratch,
                       size_t begin, size_t end) {
  const struct bnn_patches *p = &plan->patches;
  const float *bias = (const float *)packed + (size_t)tap_count(plan) * padded_channels(plan);
  struct bnn_depthwise_band work = {
      .patches = (const uint32_t *)(const void *)(bias + padded_channels(plan)),
      .rows = p->window.kernel_h,
      .taps = p->window.kernel_w,
      .between_rows = p->between_runs,
      .channels = plan->problem.sizes.channels,
      .padded = padded_channels(plan),
      .weights = packed,
      .bias = bias,
      .lo = plan->problem.lo,
      .hi = plan->problem.hi,
  };
  for (size_t unit = begin; unit < end; unit++) {
    const struct bnn_band band = bnn_patches_band(p, unit, 0);
    work.x = (const float *)bnn_patches_lay_out(p, &band, (const uint32_t *)x, scratch);
    work.pixel_count = (band.end - band.begin) * p->out_w;
    work.y = y + ((size_t)band.image * p->out_h + band.begin) * p->out_w * plan->problem.sizes.channels;
    plan->kernel->run(&work);
  }
}

const char *bnn_depthwise_kernel_name(const struct bnn_depthwise_plan *plan) { return plan->kernel->kernel.name; }
