/* SPDX-License-Identifier: Apache-2.0 */
#include "idepthwise/idepthwise.h"

#include <string.h>

#include "base/sizes.h"
#include "idepthwise/kernel.h"

static const struct bnn_idepthwise_kernel rows[] = {
#define BNN_IDEPTHWISE(mr, nr, isa, ISA, TUNING)                                                          \
  {{"idepthwise", "idepthwise_" #mr "x" #nr "_" #isa, BNN_ISA_##ISA, BNN_TUNING_##TUNING}, mr, \
   bnn_idepthwise_##mr##x##nr##_##isa},
#include "idepthwise/kernels.inc"
#undef BNN_IDEPTHWISE
};

extern const struct bnn_family bnn_idepthwise_family;
const struct bnn_family bnn_idepthwise_family = {"idepthwise", rows, sizeof rows / sizeof *rows, sizeof *rows};

enum { BIAS, MANTISSA, LEFT, RIGHT, CONSTANTS };

/* Where the parts of the packed weights start, in bytes. */
struct layout {
  uint32_t padded, taps;
  size_t constants, border, raised, end;
};

static struct layout layout_of(const struct bnn_idepthwise_plan *plan) {
  const struct bnn_convolution *sizes = &plan->problem.sizes;
  struct layout l = {.padded = bnn_round_up(sizes->channels, plan->kernel->mr),
                     .taps = sizes->window.kernel_h * sizes->window.kernel_w};
  l.constants = bnn_aligned((size_t)l.taps * l.padded * sizeof(int16_t));
  l.border = l.constants + CONSTANTS * sizeof(int32_t) * l.padded;
  l.raised = l.border + l.padded; /* whether some ratio is above 1 */
  l.end = bnn_aligned(l.raised + 1);
  return l;
}

bool bnn_idepthwise_fits(const struct bnn_convolution *c) {
  return bnn_is_depthwise(c) && c->window.kernel_h * c->window.kernel_w <= BNN_IDEPTHWISE_TAPS;
}

bool bnn_idepthwise_plan(struct bnn_idepthwise_plan *plan, const struct bnn_iconv2d_problem *problem,
                         const struct bnn_select *select) {
  *plan = (struct bnn_idepthwise_plan){.problem = *problem};
  plan->kernel = bnn_family_choose(&bnn_idepthwise_family, select, NULL, NULL);
  if (!plan->kernel) return false;
  plan->units = (size_t)problem->sizes.batch * problem->sizes.out_h;
  plan->packed_bytes = layout_of(plan).end;
  return true;
}

void bnn_idepthwise_pack(const struct bnn_idepthwise_plan *plan, const struct bnn_iconv2d_weights *weights, void *packed) {
  const struct layout l = layout_of(plan);
  int16_t *filters = packed;
  int32_t *constants = (int32_t *)(void *)((uint8_t *)packed + l.constants);
  memset(packed, 0, l.end);
  for (uint32_t c = 0; c < plan->problem.sizes.channels; c++) {
    int32_t sum = 0;
    for (uint32_t tap = 0; tap < l.taps; tap++) {
      const int8_t code = weights->filter[(size_t)c * l.taps + tap];
      filters[(size_t)tap * l.padded + c] = code;
      sum += code;
    }
    constants[BIAS * l.padded + c] = (weights->bias ? weights->bias[c] : 0) - plan->problem.x_zero * sum;
    constants[MANTISSA * l.padded + c] = weights->ratio[c].mantissa;
    constants[LEFT * l.padded + c] = weights->ratio[c].left;
    constants[RIGHT * l.padded + c] = weights->ratio[c].right;
    if (weights->ratio[c].left > 0) ((uint8_t *)packed)[l.raised] = 1;
  }
  memset((uint8_t *)packed + l.border, (uint8_t)plan->problem.border, l.padded);
}

static bool is_inside(int64_t at, uint32_t size) { return at >= 0 && at < size; }

/* Where each tap of an output pixel reads; `border` outside the image. */
static void find_taps(const struct bnn_convolution *c, const int8_t *image, const int8_t *border, uint32_t row,
                      uint32_t column, const int8_t **taps) {
  const struct bnn_window *w = &c->window;
  for (uint32_t i = 0; i < w->kernel_h; i++) {
    const int64_t y = (int64_t)row * w->stride_h - w->pad_top + (int64_t)i * w->dilation_h;
    for (uint32_t j = 0; j < w->kernel_w; j++) {
      const int64_t x = (int64_t)column * w->stride_w - w->pad_left + (int64_t)j * w->dilation_w;
      const bool inside = is_inside(y, c->in_h) && is_inside(x, c->in_w);
      *taps++ = inside ? image + ((size_t)y * c->in_w + (size_t)x) * c->channels : border;
    }
  }
}

/* Whether a pixel and the one before it read no column outside the image: then its taps lie one stride behind those. */
static bool follows(const struct bnn_convolution *c, uint32_t column) {
  const struct bnn_window *w = &c->window;
  const int64_t first = (int64_t)column * w->stride_w - w->pad_left;
  return column > 0 && first - w->stride_w >= 0 && first + (int64_t)(w->kernel_w - 1) * w->dilation_w < c->in_w;
}

static void next_taps(const int8_t *const *before, const int8_t *border, size_t step, uint32_t count, const int8_t **taps) {
  for (uint32_t tap = 0; tap < count; tap++) taps[tap] = before[tap] == border ? border : before[tap] + step;
}

void bnn_idepthwise_run(const struct bnn_idepthwise_plan *plan, const void *packed, const int8_t *x, int8_t *y, size_t begin,
                        size_t end) {
  const struct bnn_iconv2d_problem *p = &plan->problem;
  const struct bnn_convolution *sizes = &p->sizes;
  const struct layout l = layout_of(plan);
  const int32_t *constants = (const int32_t *)(const void *)((const uint8_t *)packed + l.constants);
  struct bnn_idepthwise_pixels pixels = {
      .tap_count = l.taps,
      .channels = sizes->channels,
      .padded = l.padded,
      .weights = packed,
      .bias = constants + BIAS * l.padded,
      .mantissa = constants + MANTISSA * l.padded,
      .left = ((const uint8_t *)packed)[l.raised] ? constants + LEFT * l.padded : NULL,
      .right = constants + RIGHT * l.padded,
      .y_zero = p->y_zero,
      .lo = p->lo,
      .hi = p->hi,
  };
  const int8_t *border = (const int8_t *)packed + l.border;
  const size_t step = (size_t)sizes->window.stride_w * sizes->channels;
  for (size_t unit = begin; unit < end; unit++) {
    const int8_t *image = x + unit / sizes->out_h * sizes->in_h * sizes->in_w * sizes->channels;
    pixels.y = y + unit * sizes->out_w * sizes->channels;
    pixels.pixel_count = 0;
    uint32_t before = 0;
    for (uint32_t column = 0; column < sizes->out_w; column++) {
      const int8_t **taps = pixels.taps[pixels.pixel_count];
      if (follows(sizes, column))
        next_taps(pixels.taps[before], border, step, l.taps, taps);
      else
        find_taps(sizes, image, border, (uint32_t)(unit % sizes->out_h), column, taps);
      before = pixels.pixel_count++;
      if (pixels.pixel_count < BNN_IDEPTHWISE_PIXELS && column + 1 < sizes->out_w) continue;
      plan->kernel->run(&pixels);
      pixels.y += (size_t)pixels.pixel_count * sizes->channels;
      pixels.pixel_count = 0;
    }
  }
}

const char *bnn_idepthwise_kernel_name(const struct bnn_idepthwise_plan *plan) { return plan->kernel->kernel.name; }
