/* SPDX-License-Identifier: Apache-2.0 */
/* The families of int8 codes, to the code: weights of -128 among them, ratios above and far below 1, zero points and borders
 * anywhere. */
#include <stdio.h>

#include "idepthwise/idepthwise.h"
#include "tools/check.h"

static int8_t code_of(struct check_case *c) {
  switch (c->data) {
    case CHECK_ZEROS: return 0;
    case CHECK_ONES: return INT8_MIN;
    case CHECK_ALTERNATING: return check_between(c, 0, 1) ? INT8_MAX : INT8_MIN;
    default: return (int8_t)check_between(c, 0, 255);
  }
}

static int8_t *codes_of(struct check_case *c, size_t count) {
  int8_t *codes = check_buffer(c, count);
  for (size_t i = 0; i < count; i++) codes[i] = code_of(c);
  return codes;
}

/* Weights of -128 in some cases alone: kernels may take another way without them. */
static int8_t *weights_of(struct check_case *c, size_t count) {
  int8_t *weights = codes_of(c, count);
  if (check_between(c, 0, 1))
    for (size_t i = 0; i < count; i++) weights[i] = weights[i] == INT8_MIN ? INT8_MAX : weights[i];
  return weights;
}

static int32_t *bias_of(struct check_case *c, uint32_t count) {
  int32_t *bias = check_buffer(c, count * sizeof *bias);
  for (uint32_t i = 0; i < count; i++) bias[i] = (int32_t)check_between(c, 0, 1u << 18) - (1 << 17);
  return bias;
}

static struct bnn_ratio *ratios_of(struct check_case *c, uint32_t count) {
  static const double factors[] = {1.0 / 16384, 1.0 / 1024, 1.0 / 256, 1.0 / 64, 0.25, 1e-9, 1.0, 12.0};
  const uint32_t most = check_between(c, 0, 3) ? 4 : 7; /* mostly none above 1 */
  struct bnn_ratio *ratios = check_buffer(c, count * sizeof *ratios);
  for (uint32_t i = 0; i < count; i++)
    bnn_ratio_of(factors[check_between(c, 0, most)] * (1.0 + (double)check_between(c, 0, 999) / 1000), &ratios[i]);
  return ratios;
}

static void define(const struct bnn_iconv2d_problem *p, const struct bnn_iconv2d_weights *weights, const int8_t *x, int8_t *out) {
  const struct bnn_window *w = &p->window;
  const uint32_t channels = p->channels / p->groups, group_filters = p->filters / p->groups;
  for (uint32_t image = 0; image < p->batch; image++)
    for (uint32_t y = 0; y < p->out_h; y++)
      for (uint32_t at = 0; at < p->out_w; at++)
        for (uint32_t o = 0; o < p->filters; o++) {
          int32_t sum = weights->bias ? weights->bias[o] : 0;
          for (uint32_t ky = 0; ky < w->kernel_h; ky++)
            for (uint32_t kx = 0; kx < w->kernel_w; kx++) {
              const int64_t row = (int64_t)y * w->stride_h + (int64_t)ky * w->dilation_h - w->pad_top;
              const int64_t column = (int64_t)at * w->stride_w + (int64_t)kx * w->dilation_w - w->pad_left;
              const bool inside = row >= 0 && row < p->in_h && column >= 0 && column < p->in_w;
              const size_t pixel = inside ? ((size_t)image * p->in_h + (size_t)row) * p->in_w + (size_t)column : 0;
              const int8_t *taps = weights->filter + ((size_t)(o * w->kernel_h + ky) * w->kernel_w + kx) * channels;
              for (uint32_t i = 0; i < channels; i++)
                sum += taps[i] * ((inside ? x[pixel * p->channels + o / group_filters * channels + i] : p->border) - p->x_zero);
            }
          const struct bnn_ratio *ratio = &weights->ratio[o];
          *out++ = bnn_code(bnn_rescale(sum, ratio->mantissa, ratio->left, ratio->right), p->y_zero, p->lo, p->hi);
        }
}

static struct bnn_iconv2d_problem draw(struct check_case *c, const struct check_image *image) {
  const bool bounded = !check_between(c, 0, 2);
  const int32_t x_zero = (int32_t)check_between(c, 0, 255) - 128;
  return (struct bnn_iconv2d_problem){
      .batch = image->batch, .in_h = image->in_h, .in_w = image->in_w, .out_h = image->out_h, .out_w = image->out_w,
      .window = image->window, .groups = 1,
      .x_zero = x_zero, .border = check_between(c, 0, 1) ? x_zero : (int32_t)check_between(c, 0, 255) - 128,
      .y_zero = (int32_t)check_between(c, 0, 255) - 128,
      .lo = bounded ? -20 : INT8_MIN, .hi = bounded ? 90 : INT8_MAX,
  };
}

struct work {
  const void *plan, *packed;
  const int8_t *x;
  int8_t *y;
  void *scratch;
};

static void run_iconv2d(void *argument, size_t begin, size_t end) {
  const struct work *w = argument;
  bnn_iconv2d_run(w->plan, w->packed, w->x, w->y, w->scratch, begin, end);
}

static void run_idepthwise(void *argument, size_t begin, size_t end) {
  const struct work *w = argument;
  bnn_idepthwise_run(w->plan, w->packed, w->x, w->y, begin, end);
}

struct data {
  struct bnn_iconv2d_weights weights;
  const int8_t *x;
  int8_t *expected, *y;
  size_t count;
};

static struct data fill(struct check_case *c, const struct bnn_iconv2d_problem *p) {
  struct data d = {.count = (size_t)p->batch * p->out_h * p->out_w * p->filters};
  d.weights.filter = weights_of(c, (size_t)p->filters * p->window.kernel_h * p->window.kernel_w * (p->channels / p->groups));
  d.weights.bias = check_between(c, 0, 3) ? bias_of(c, p->filters) : NULL;
  d.weights.ratio = ratios_of(c, p->filters);
  d.x = codes_of(c, (size_t)p->batch * p->in_h * p->in_w * p->channels);
  d.expected = check_buffer(c, d.count);
  d.y = check_buffer(c, d.count);
  define(p, &d.weights, d.x, d.expected);
  return d;
}

static bool same(struct check_case *c, const struct data *d) {
  for (size_t i = 0; i < d->count; i++)
    if (d->y[i] != d->expected[i]) {
      snprintf(c->detail, sizeof c->detail, "code %zu of %zu is %d, not %d", i, d->count, d->y[i], d->expected[i]);
      return false;
    }
  return true;
}

bool check_igemm(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  static const uint32_t sizes[] = {1, 2, 3, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 40, 64};
  const struct check_image image = check_image(c, 12);
  struct bnn_iconv2d_problem p = draw(c, &image);
  p.channels = check_pick(c, sizes, sizeof sizes / sizeof *sizes);
  p.filters = check_pick(c, sizes, sizeof sizes / sizeof *sizes);
  if (!check_between(c, 0, 4)) p.groups = check_between(c, 2, 3), p.channels *= p.groups, p.filters *= p.groups;
  check_describe(c, &image, p.channels, p.filters, p.groups, "");
  struct bnn_iconv2d_plan plan;
  if (!bnn_iconv2d_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  struct work work = {&plan, packed, d.x, d.y, check_buffer(c, plan.scratch_bytes)};
  bnn_iconv2d_pack(&plan, &d.weights, packed);
  check_split(c, plan.units, run_iconv2d, &work);
  return same(c, &d);
}

bool check_idepthwise(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  static const uint32_t sizes[] = {2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 70};
  const struct check_image image = check_image(c, 12);
  struct bnn_iconv2d_problem p = draw(c, &image);
  p.groups = p.filters = p.channels = check_pick(c, sizes, sizeof sizes / sizeof *sizes);
  check_describe(c, &image, p.channels, p.filters, p.groups, "");
  struct bnn_idepthwise_plan plan;
  if (!bnn_idepthwise_fits(&p) || !bnn_idepthwise_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  struct work work = {&plan, packed, d.x, d.y, NULL};
  bnn_idepthwise_pack(&plan, &d.weights, packed);
  check_split(c, plan.units, run_idepthwise, &work);
  return same(c, &d);
}
