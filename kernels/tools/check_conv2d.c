/* SPDX-License-Identifier: Apache-2.0 */
/* The float families. Inputs and weights are small multiples of 1/8, so that sums are exact in any order and with or
 * without fused multiply-add: variants must agree to the bit. */
#include "sgemm/conv2d.h"

#include <math.h>

#include "depthwise/depthwise.h"
#include "tools/check.h"

static void define(const struct bnn_conv2d_problem *p, const float *filter, const float *bias, const float *x, float *out) {
  const struct bnn_convolution *s = &p->sizes;
  const uint32_t channels = s->channels / s->groups, taps = s->window.kernel_h * s->window.kernel_w;
  for (size_t i = 0; i < bnn_output_elements(s); i++) {
    const uint32_t o = (uint32_t)(i % s->filters), first = o / (s->filters / s->groups) * channels;
    const float *weights = filter + (size_t)o * taps * channels;
    float sum = bias ? bias[o] : 0.0f;
    for (uint32_t tap = 0; tap < taps; tap++, weights += channels) {
      size_t pixel;
      const bool inside = check_tap(s, i / s->filters, tap, &pixel);
      for (uint32_t k = 0; k < channels; k++) sum += weights[k] * (inside ? x[pixel * s->channels + first + k] : p->pad_value);
    }
    sum = sum < p->lo ? p->lo : sum;
    out[i] = sum > p->hi ? p->hi : sum;
  }
}

static void run_conv2d(const struct check_work *w, size_t begin, size_t end) {
  bnn_conv2d_run(w->plan, w->packed, w->x, w->y, w->scratch, begin, end);
}

static void run_depthwise(const struct check_work *w, size_t begin, size_t end) {
  bnn_depthwise_run(w->plan, w->packed, w->x, w->y, w->scratch, begin, end);
}

static struct bnn_conv2d_problem draw(struct check_case *c) {
  struct bnn_conv2d_problem p = {.sizes = check_image(c, 12), .lo = -INFINITY, .hi = INFINITY};
  if (!check_between(c, 0, 2)) p.lo = -1.0f, p.hi = 6.0f;
  p.pad_value = check_between(c, 0, 1) ? 0.0f : 1.0f;
  return p;
}

struct data {
  const float *filter, *bias, *x;
  float *expected, *y;
  size_t count;
};

static struct data fill(struct check_case *c, const struct bnn_conv2d_problem *p) {
  const struct bnn_convolution *s = &p->sizes;
  struct data d = {.count = bnn_output_elements(s)};
  d.filter = check_floats(c, s->filters * bnn_filter_elements(s));
  d.bias = check_between(c, 0, 3) ? check_floats(c, s->filters) : NULL;
  d.x = check_floats(c, bnn_input_elements(s));
  d.expected = check_buffer(c, d.count * sizeof *d.expected);
  d.y = check_buffer(c, d.count * sizeof *d.y);
  define(p, d.filter, d.bias, d.x, d.expected);
  return d;
}

bool check_conv2d(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  struct bnn_conv2d_problem p = draw(c);
  check_channels(c, &p.sizes);
  check_describe(c, &p.sizes, "");
  struct bnn_conv2d_plan plan;
  if (!bnn_conv2d_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  bnn_conv2d_pack(&plan, d.filter, d.bias, packed);
  const struct check_work work = {&plan, packed, d.x, d.y, check_buffer(c, plan.scratch_bytes)};
  check_split(c, plan.units, run_conv2d, &work);
  return check_equal_floats(c, d.y, d.expected, d.count);
}

bool check_depthwise(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  struct bnn_conv2d_problem p = draw(c);
  check_depthwise_channels(c, &p.sizes);
  check_describe(c, &p.sizes, "");
  struct bnn_depthwise_plan plan;
  if (!bnn_depthwise_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  bnn_depthwise_pack(&plan, d.filter, d.bias, packed);
  const struct check_work work = {&plan, packed, d.x, d.y, check_buffer(c, plan.scratch_bytes)};
  check_split(c, plan.units, run_depthwise, &work);
  return check_equal_floats(c, d.y, d.expected, d.count);
}
