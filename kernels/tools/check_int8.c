/* SPDX-License-Identifier: Apache-2.0 */
/* The families of int8 codes, to the code: weights of -128 among them, ratios above and far below 1, zero points and borders
 * anywhere. */
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
  const struct bnn_convolution *s = &p->sizes;
  const uint32_t channels = s->channels / s->groups, taps = s->window.kernel_h * s->window.kernel_w;
  for (size_t i = 0; i < bnn_output_elements(s); i++) {
    const uint32_t o = (uint32_t)(i % s->filters), first = o / (s->filters / s->groups) * channels;
    const int8_t *filter = weights->filter + (size_t)o * taps * channels;
    int32_t sum = weights->bias ? weights->bias[o] : 0;
    for (uint32_t tap = 0; tap < taps; tap++, filter += channels) {
      size_t pixel;
      const bool inside = check_tap(s, i / s->filters, tap, &pixel);
      for (uint32_t k = 0; k < channels; k++)
        sum += filter[k] * ((inside ? x[pixel * s->channels + first + k] : p->border) - p->x_zero);
    }
    const struct bnn_ratio *ratio = &weights->ratio[o];
    out[i] = bnn_code(bnn_rescale(sum, ratio->mantissa, ratio->left, ratio->right), p->y_zero, p->lo, p->hi);
  }
}

static int32_t any_code(struct check_case *c) { return (int32_t)check_between(c, 0, 255) - 128; }

static struct bnn_iconv2d_problem draw(struct check_case *c) {
  struct bnn_iconv2d_problem p = {.sizes = check_image(c, 12), .lo = INT8_MIN, .hi = INT8_MAX};
  if (!check_between(c, 0, 2)) p.lo = -20, p.hi = 90;
  p.x_zero = any_code(c);
  p.border = check_between(c, 0, 1) ? p.x_zero : any_code(c);
  p.y_zero = any_code(c);
  return p;
}

static void run_iconv2d(const struct check_work *w, size_t begin, size_t end) {
  bnn_iconv2d_run(w->plan, w->packed, w->x, w->y, w->scratch, begin, end);
}

static void run_idepthwise(const struct check_work *w, size_t begin, size_t end) {
  bnn_idepthwise_run(w->plan, w->packed, w->x, w->y, begin, end);
}

struct data {
  struct bnn_iconv2d_weights weights;
  const int8_t *x;
  int8_t *expected, *y;
  size_t count;
};

static struct data fill(struct check_case *c, const struct bnn_iconv2d_problem *p) {
  const struct bnn_convolution *s = &p->sizes;
  struct data d = {.count = bnn_output_elements(s)};
  d.weights.filter = weights_of(c, s->filters * bnn_filter_elements(s));
  d.weights.bias = check_between(c, 0, 3) ? bias_of(c, s->filters) : NULL;
  d.weights.ratio = ratios_of(c, s->filters);
  d.x = codes_of(c, bnn_input_elements(s));
  d.expected = check_buffer(c, d.count);
  d.y = check_buffer(c, d.count);
  define(p, &d.weights, d.x, d.expected);
  return d;
}

bool check_igemm(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  struct bnn_iconv2d_problem p = draw(c);
  check_channels(c, &p.sizes);
  check_describe(c, &p.sizes, "");
  struct bnn_iconv2d_plan plan;
  if (!bnn_iconv2d_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  bnn_iconv2d_pack(&plan, &d.weights, packed);
  const struct check_work work = {&plan, packed, d.x, d.y, check_buffer(c, plan.scratch_bytes)};
  check_split(c, plan.units, run_iconv2d, &work);
  return check_equal_codes(c, d.y, d.expected, d.count);
}

bool check_idepthwise(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  struct bnn_iconv2d_problem p = draw(c);
  check_depthwise_channels(c, &p.sizes);
  check_describe(c, &p.sizes, "");
  struct bnn_idepthwise_plan plan;
  if (!bnn_idepthwise_fits(&p.sizes) || !bnn_idepthwise_plan(&plan, &p, select)) return *skipped = true;
  const struct data d = fill(c, &p);
  void *packed = check_buffer(c, plan.packed_bytes);
  bnn_idepthwise_pack(&plan, &d.weights, packed);
  const struct check_work work = {&plan, packed, d.x, d.y, NULL};
  check_split(c, plan.units, run_idepthwise, &work);
  return check_equal_codes(c, d.y, d.expected, d.count);
}
