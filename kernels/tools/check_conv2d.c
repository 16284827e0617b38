/* SPDX-License-Identifier: Apache-2.0 */
/* The float families. Inputs and weights are small multiples of 1/8, so that sums are exact in any order and with or
 * without fused multiply-add: variants must agree to the bit. */
#include "sgemm/conv2d.h"

#include <math.h>

#include "depthwise/depthwise.h"
#include "tools/check.h"

static void define(const struct bnn_conv2d_problem *p, const float *filter, const float *bias, const float *x, float *out) {
  const struct bnn_window *w = &p->window;
  const uint32_t channels = p->channels / p->groups, group_filters = p->filters / p->groups;
  for (uint32_t image = 0; image < p->batch; image++)
    for (uint32_t y = 0; y < p->out_h; y++)
      for (uint32_t at = 0; at < p->out_w; at++)
        for (uint32_t o = 0; o < p->filters; o++) {
          float sum = bias ? bias[o] : 0.0f;
          for (uint32_t ky = 0; ky < w->kernel_h; ky++)
            for (uint32_t kx = 0; kx < w->kernel_w; kx++) {
              const int64_t row = (int64_t)y * w->stride_h + (int64_t)ky * w->dilation_h - w->pad_top;
              const int64_t column = (int64_t)at * w->stride_w + (int64_t)kx * w->dilation_w - w->pad_left;
              const bool inside = row >= 0 && row < p->in_h && column >= 0 && column < p->in_w;
              const size_t pixel = inside ? ((size_t)image * p->in_h + (size_t)row) * p->in_w + (size_t)column : 0;
              const float *taps = filter + ((size_t)(o * w->kernel_h + ky) * w->kernel_w + kx) * channels;
              for (uint32_t i = 0; i < channels; i++)
                sum += taps[i] * (inside ? x[pixel * p->channels + o / group_filters * channels + i] : p->pad_value);
            }
          sum = sum < p->lo ? p->lo : sum;
          *out++ = sum > p->hi ? p->hi : sum;
        }
}

struct work {
  const void *plan, *packed;
  const float *x;
  float *y;
  void *scratch;
};

static void run_conv2d(void *argument, size_t begin, size_t end) {
  const struct work *w = argument;
  bnn_conv2d_run(w->plan, w->packed, w->x, w->y, w->scratch, begin, end);
}

static void run_depthwise(void *argument, size_t begin, size_t end) {
  const struct work *w = argument;
  bnn_depthwise_run(w->plan, w->packed, w->x, w->y, w->scratch, begin, end);
}

static struct bnn_conv2d_problem draw(struct check_case *c, const struct check_image *image) {
  const bool bounded = !check_between(c, 0, 2);
  return (struct bnn_conv2d_problem){
      .batch = image->batch, .in_h = image->in_h, .in_w = image->in_w, .out_h = image->out_h, .out_w = image->out_w,
      .window = image->window, .groups = 1,
      .pad_value = check_between(c, 0, 1) ? 0.0f : 1.0f,
      .lo = bounded ? -1.0f : -INFINITY, .hi = bounded ? 6.0f : INFINITY,
  };
}

struct data {
  const float *filter, *bias, *x;
  float *expected, *y;
  size_t count;
};

static struct data fill(struct check_case *c, const struct bnn_conv2d_problem *p) {
  struct data d = {.count = (size_t)p->batch * p->out_h * p->out_w * p->filters};
  d.filter = check_floats(c, (size_t)p->filters * p->window.kernel_h * p->window.kernel_w * (p->channels / p->groups));
  d.bias = check_between(c, 0, 3) ? check_floats(c, p->filters) : NULL;
  d.x = check_floats(c, (size_t)p->batch * p->in_h * p->in_w * p->channels);
  d.expected = check_buffer(c, d.count * sizeof *d.expected);
  d.y = check_buffer(c, d.count * sizeof *d.y);
  define(p, d.filter, d.bias, d.x, d.expected);
  return d;
}

bool check_conv2d(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  static const uint32_t sizes[] = {1, 2, 3, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 40};
  const struct check_image image = check_image(c, 12);
  struct bnn_conv2d_problem p = draw(c, &image);
  p.channels = check_pick(c, sizes, sizeof sizes / sizeof *sizes);
  p.filters = check_pick(c, sizes, sizeof sizes / sizeof *sizes);
  if (!check_between(c, 0, 4)) p.groups = check_between(c, 2, 3), p.channels *= p.groups, p.filters *= p.groups;
  check_describe(c, &image, p.channels, p.filters, p.groups, "");
  struct bnn_conv2d_plan plan;
  if (!bnn_conv2d_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  struct work work = {&plan, packed, d.x, d.y, check_buffer(c, plan.scratch_bytes)};
  bnn_conv2d_pack(&plan, d.filter, d.bias, packed);
  check_split(c, plan.units, run_conv2d, &work);
  return check_equal_floats(c, d.y, d.expected, d.count);
}

bool check_depthwise(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  static const uint32_t sizes[] = {2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 70};
  const struct check_image image = check_image(c, 12);
  struct bnn_conv2d_problem p = draw(c, &image);
  p.groups = p.filters = p.channels = check_pick(c, sizes, sizeof sizes / sizeof *sizes);
  check_describe(c, &image, p.channels, p.filters, p.groups, "");
  struct bnn_depthwise_plan plan;
  if (!bnn_depthwise_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  struct work work = {&plan, packed, d.x, d.y, check_buffer(c, plan.scratch_bytes)};
  bnn_depthwise_pack(&plan, d.filter, d.bias, packed);
  check_split(c, plan.units, run_depthwise, &work);
  return check_equal_floats(c, d.y, d.expected, d.count);
}
