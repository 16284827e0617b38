/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rescale.h"
#include "bconv2d/bconv2d.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/check.h"

static int32_t worth(const struct bnn_bconv2d_planes *planes, uint32_t plane) {
  return planes->code == BNN_CODE_BINARY ? 1 << plane : 1;
}

/* The definition, one bit at a time. */
static int32_t accumulate(const struct bnn_bconv2d_problem *p, const uint32_t *x, const uint32_t *filter, size_t out_pixel,
                          uint32_t group) {
  const struct bnn_convolution *s = &p->sizes;
  const uint32_t channels = s->channels / s->groups, words = (channels + 31) / 32, x_words = (s->channels + 31) / 32;
  const uint32_t x_planes = p->x_planes.count, w_planes = p->w_planes.count;
  int32_t acc = 0;
  for (uint32_t tap = 0; tap < s->window.kernel_h * s->window.kernel_w; tap++, filter += words * w_planes) {
    size_t pixel;
    const bool inside = check_tap(s, out_pixel, tap, &pixel);
    if (!inside && p->border == BNN_BORDER_ZERO) continue;
    for (uint32_t i = 0; i < x_planes; i++)
      for (uint32_t j = 0; j < w_planes; j++)
        for (uint32_t c = 0; c < channels; c++) {
          const uint32_t word = inside ? x[(pixel * x_planes + i) * x_words + group * words + c / 32] : 0;
          const uint32_t differ = (word ^ filter[j * words + c / 32]) >> c % 32 & 1;
          acc += (differ ? -1 : 1) * worth(&p->x_planes, i) * worth(&p->w_planes, j);
        }
  }
  return acc;
}

static uint32_t index_of(const struct bnn_bconv2d_problem *p, const int32_t *threshold, int32_t acc) {
  uint32_t index = 0;
  for (uint32_t t = 0; t < p->thresholds; t++) index += acc < threshold[(size_t)t * p->sizes.filters];
  return index;
}

static float clamp(float value, float lo, float hi) { return value < lo ? lo : value > hi ? hi : value; }

static void define(const struct bnn_bconv2d_problem *p, const struct bnn_bconv2d_weights *w, const uint32_t *x, void *out) {
  const struct bnn_convolution *s = &p->sizes;
  const uint32_t group_filters = s->filters / s->groups, y_words = (s->filters + 31) / 32, planes = p->y_planes.count;
  const size_t filter_words =
      (size_t)s->window.kernel_h * s->window.kernel_w * ((s->channels / s->groups + 31) / 32) * p->w_planes.count;
  float *floats = out;
  uint32_t *words = out;
  const size_t pixels = bnn_output_elements(s) / s->filters;
  for (size_t pixel = 0; pixel < pixels; pixel++, floats += s->filters, words += planes * y_words) {
    for (uint32_t i = 0; p->output == BNN_BCONV2D_BITS && i < planes * y_words; i++) words[i] = 0;
    for (uint32_t o = 0; o < s->filters; o++) {
      const int32_t acc = accumulate(p, x, w->filter + o * filter_words, pixel, o / group_filters);
      if (p->output == BNN_BCONV2D_BITS) {
        const uint32_t index = index_of(p, w->threshold + o, acc);
        for (uint32_t plane = 0; plane < planes; plane++) {
          const uint32_t bit = p->y_planes.code == BNN_CODE_BINARY ? index >> plane & 1 : index > plane;
          words[plane * y_words + o / 32] |= bit << o % 32;
        }
        continue;
      }
      float value = (float)acc;
      if (w->clamp_lo && value < (float)w->clamp_lo[o]) value = (float)w->clamp_lo[o];
      if (w->clamp_hi && value > (float)w->clamp_hi[o]) value = (float)w->clamp_hi[o];
      floats[o] = clamp(value * (w->multiplier ? w->multiplier[o] : 1.0f) + (w->bias ? w->bias[o] : 0.0f), p->lo, p->hi);
    }
  }
}

static void run(const struct check_work *w, size_t begin, size_t end) {
  bnn_bconv2d_run(w->plan, w->packed, w->x, w->y, w->scratch, begin, end);
}

static int32_t *integers(struct check_case *c, uint32_t count, int32_t centre, uint32_t spread) {
  int32_t *values = check_buffer(c, count * sizeof *values);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t kind = check_between(c, 0, 15);
    values[i] = kind == 0 ? INT32_MIN : kind == 1 ? INT32_MAX
                          : centre + (int32_t)check_between(c, 0, 2 * spread) - (int32_t)spread;
  }
  return values;
}

static struct bnn_bconv2d_problem draw(struct check_case *c) {
  static const uint32_t channels[] = {1, 3, 17, 31, 32, 33, 40, 64, 64, 65, 96, 100, 128, 128, 160, 192, 256, 320, 512};
  static const uint32_t filters[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 65, 72, 100, 130};
  const bool deep = !check_between(c, 0, 40); /* sums beyond 16 bits, with a large kernel */
  struct bnn_bconv2d_problem p = {.sizes = check_image(c, deep ? 3 : check_between(c, 0, 3) ? 9 : 20)};
  struct bnn_convolution *s = &p.sizes;
  p.border = check_between(c, 0, 1) ? BNN_BORDER_ZERO : BNN_BORDER_ONE;
  p.output = check_between(c, 0, 1) ? BNN_BCONV2D_BITS : BNN_BCONV2D_F32;
  p.lo = -INFINITY, p.hi = INFINITY;
  s->groups = 1;
  s->channels = check_pick(c, channels, sizeof channels / sizeof *channels);
  s->filters = check_pick(c, filters, sizeof filters / sizeof *filters);
  if (!check_between(c, 0, 4)) {
    s->groups = check_between(c, 2, 4);
    s->channels = s->groups * 32 * check_between(c, 1, 3);
    s->filters *= s->groups;
  }
  if (deep) s->groups = 1, s->channels = check_between(c, 2000, 12000);
  if (!check_between(c, 0, 2)) p.lo = -check_float(c) * check_float(c), p.hi = p.lo + 3.0f;
  if (p.output == BNN_BCONV2D_F32 && !check_between(c, 0, 3)) p.code_scale = 0.375f, p.code_zero = (int32_t)check_between(c, 0, 255) - 128;
  p.x_planes.count = p.w_planes.count = p.y_planes.count = p.thresholds = 1;
  if (!deep && !check_between(c, 0, 2)) {
    p.x_planes = (struct bnn_bconv2d_planes){check_between(c, 1, 3), check_between(c, 0, 1) ? BNN_CODE_BINARY : BNN_CODE_UNARY};
    p.w_planes = (struct bnn_bconv2d_planes){check_between(c, 1, 2), check_between(c, 0, 1) ? BNN_CODE_BINARY : BNN_CODE_UNARY};
    p.y_planes = (struct bnn_bconv2d_planes){check_between(c, 1, 3), check_between(c, 0, 1) ? BNN_CODE_BINARY : BNN_CODE_UNARY};
    const uint32_t most = p.y_planes.code == BNN_CODE_BINARY ? (1u << p.y_planes.count) - 1 : p.y_planes.count;
    p.thresholds = check_between(c, 1, most);
  }
  const uint64_t macs = (uint64_t)bnn_output_elements(s) * bnn_filter_elements(s) * p.x_planes.count * p.w_planes.count;
  if (macs > 1000000) s->filters = s->groups * (check_between(c, 0, 1) ? 1 : 9); /* the definition takes a bit at a time */
  return p;
}

static int8_t *encoded(struct check_case *c, const struct bnn_bconv2d_problem *p, const float *floats, size_t count) {
  int8_t *codes = check_buffer(c, count);
  for (size_t i = 0; i < count; i++) codes[i] = bnn_encode(floats[i], p->code_scale, p->code_zero);
  return codes;
}

bool check_bconv2d(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  const struct bnn_bconv2d_problem p = draw(c);
  const struct bnn_convolution *s = &p.sizes;
  const bool f32 = p.output == BNN_BCONV2D_F32;
  const uint32_t taps = (uint32_t)bnn_filter_elements(s) * p.x_planes.count * p.w_planes.count;
  check_describe(c, s, p.border == BNN_BORDER_ONE ? (f32 ? "border one, f32" : "border one, bits")
                                                  : (f32 ? "border zero, f32" : "border zero, bits"));
  const size_t described = strlen(c->shape);
  snprintf(c->shape + described, sizeof c->shape - described, ", planes %ux%u->%u", (unsigned)p.x_planes.count,
           (unsigned)p.w_planes.count, (unsigned)p.y_planes.count);

  struct bnn_bconv2d_weights weights = {0};
  weights.filter = check_bits(c, (size_t)s->filters * s->window.kernel_h * s->window.kernel_w * p.w_planes.count,
                              s->channels / s->groups);
  if (f32 && check_between(c, 0, 3)) weights.multiplier = check_floats(c, s->filters);
  if (f32 && check_between(c, 0, 3)) weights.bias = check_floats(c, s->filters);
  const bool clamped = f32 && !check_between(c, 0, 2);
  if (clamped && check_between(c, 0, 3)) weights.clamp_lo = integers(c, s->filters, -(int32_t)taps / 2, taps / 2);
  if (clamped && (!weights.clamp_lo || check_between(c, 0, 3))) {
    int32_t *hi = integers(c, s->filters, (int32_t)taps / 2, taps / 2);
    for (uint32_t i = 0; weights.clamp_lo && i < s->filters; i++)
      hi[i] = hi[i] < weights.clamp_lo[i] ? weights.clamp_lo[i] : hi[i];
    weights.clamp_hi = hi;
  }
  if (!f32) weights.threshold = integers(c, p.thresholds * s->filters, 0, c->data == CHECK_RANDOM ? taps / 8 + 2 : taps + 1);

  struct bnn_bconv2d_plan plan;
  if (!bnn_bconv2d_plan(&plan, &p, clamped, select)) return *skipped = true;
  const size_t pixels = bnn_output_elements(s) / s->filters;
  const size_t y_words = pixels * (f32 ? s->filters : p.y_planes.count * ((s->filters + 31) / 32));
  const uint32_t *x = check_bits(c, (size_t)s->batch * s->in_h * s->in_w * p.x_planes.count, s->channels);
  void *packed = check_buffer(c, plan.packed_bytes), *expected = check_buffer(c, y_words * sizeof(uint32_t));
  const size_t y_bytes = y_words * (p.code_scale > 0 ? sizeof(int8_t) : sizeof(uint32_t));
  const struct check_work work = {&plan, packed, x, check_buffer(c, y_bytes), check_buffer(c, plan.scratch_bytes)};
  define(&p, &weights, x, expected);
  bnn_bconv2d_pack(&plan, &weights, packed);
  check_split(c, plan.units, run, &work);
  if (p.code_scale > 0) return check_equal_codes(c, work.y, encoded(c, &p, expected, y_words), y_words);
  return f32 ? check_equal_floats(c, work.y, expected, y_words) : check_equal_words(c, work.y, expected, y_words);
}
