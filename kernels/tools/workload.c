/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/workload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool shape_parse(const char *text, struct shape *shape) {
  unsigned h, w, c, filters = 0, kh = 1, kw = 1, stride = 1;
  int end = 0;
  *shape = (struct shape){0};
  if (sscanf(text, "%ux%ux%u%n", &h, &w, &c, &end) != 3 || !end) return false;
  text += end;
  end = 0;
  if (sscanf(text, "->%u %ux%u%n", &filters, &kh, &kw, &end) == 3) text += end;
  end = 0;
  if (sscanf(text, "/%u%n", &stride, &end) == 1) text += end;
  *shape = (struct shape){h, w, c, filters, kh, kw, stride, !strcmp(text, " bits")};
  const bool sane = h && w && c && kh && kw && stride && h < 4096 && w < 4096 && c < 65536 && filters < 65536 && kh < 64 && kw < 64;
  return sane && (*text == '\0' || shape->bits);
}

/* Aligned as the arena's tensors are, and filled with what is neither zero nor a denormal float. */
static void *buffer(struct workload *w, size_t bytes) {
  const size_t size = (bytes + 127) / 64 * 64;
  unsigned char *data = aligned_alloc(64, size);
  if (!data) return NULL;
  uint32_t state = 12345;
  for (size_t i = 0; i < size / sizeof state; i++) {
    state = state * 1664525u + 1013904223u;
    const float value = (float)(int32_t)state / 4294967296.0f;
    memcpy(data + i * sizeof value, &value, sizeof value);
  }
  return w->buffers[w->buffer_count++] = data;
}

void workload_close(struct workload *w) {
  while (w->buffer_count) free(w->buffers[--w->buffer_count]);
}

static uint32_t outputs(uint32_t in, uint32_t stride) { return (in + stride - 1) / stride; }

static struct bnn_window window_of(const struct shape *s) {
  struct bnn_window w = {.kernel_h = s->kernel_h, .kernel_w = s->kernel_w, .stride_h = s->stride, .stride_w = s->stride,
                         .dilation_h = 1, .dilation_w = 1};
  const uint32_t span_h = (outputs(s->height, s->stride) - 1) * s->stride + s->kernel_h;
  const uint32_t span_w = (outputs(s->width, s->stride) - 1) * s->stride + s->kernel_w;
  const uint32_t pad_h = span_h > s->height ? span_h - s->height : 0, pad_w = span_w > s->width ? span_w - s->width : 0;
  w.pad_top = pad_h / 2, w.pad_left = pad_w / 2;
  w.pad_bottom = pad_h - w.pad_top, w.pad_right = pad_w - w.pad_left;
  return w;
}

static struct bnn_convolution sizes_of(const struct shape *s, uint32_t groups) {
  return (struct bnn_convolution){
      .batch = 1, .in_h = s->height, .in_w = s->width, .channels = s->channels,
      .out_h = outputs(s->height, s->stride), .out_w = outputs(s->width, s->stride), .filters = s->filters,
      .window = window_of(s), .groups = groups,
  };
}

static void run_bitpack(struct workload *w) {
  bnn_bitpack_run(&w->plan.bitpack, w->packed, w->x, w->y, 0, w->plan.bitpack.units);
}

bool workload_bitpack(struct workload *w, const struct shape *s, const struct bnn_select *select) {
  const struct bnn_bitpack_problem p = {(size_t)s->height * s->width, s->channels};
  if (!bnn_bitpack_plan(&w->plan.bitpack, &p, select)) return false;
  w->kernel = bnn_bitpack_kernel_name(&w->plan.bitpack);
  w->run = run_bitpack;
  w->macs = p.pixels * p.channels;
  w->packed = buffer(w, w->plan.bitpack.packed_bytes);
  w->x = buffer(w, w->macs * sizeof(float));
  w->y = buffer(w, w->macs / 8 + p.pixels * sizeof(uint32_t));
  const float *threshold = buffer(w, p.channels * sizeof(float));
  if (!w->packed || !w->x || !w->y || !threshold) return false;
  bnn_bitpack_pack(&w->plan.bitpack, threshold, p.channels, NULL, w->packed);
  return true;
}

static void run_lif(struct workload *w) {
  bnn_lif_run(&w->plan.lif, w->packed, w->x, w->scratch, w->y, false, 0, w->plan.lif.units);
}

/* Neurons that leak, and whose threshold comes off after a spike. */
bool workload_lif(struct workload *w, const struct shape *s, const struct bnn_select *select) {
  const float *constants = buffer(w, s->channels * sizeof(float));
  if (!constants) return false;
  const struct bnn_lif_problem p = {
      .pixels = (size_t)s->height * s->width, .channels = s->channels, .bits = s->bits,
      .params = {.emit = BNN_EMIT_SPIKE, .reset = BNN_RESET_SUBTRACT},
      .constants = {[BNN_LIF_THRESHOLD] = constants, [BNN_LIF_DECAY] = constants},
      .counts = {[BNN_LIF_THRESHOLD] = s->channels, [BNN_LIF_DECAY] = s->channels},
  };
  if (!bnn_lif_plan(&w->plan.lif, &p, select)) return false;
  w->kernel = bnn_lif_kernel_name(&w->plan.lif);
  w->run = run_lif;
  w->macs = p.pixels * p.channels;
  w->packed = buffer(w, w->plan.lif.packed_bytes);
  w->x = buffer(w, w->macs * sizeof(float));
  w->y = buffer(w, w->macs * sizeof(float));
  w->scratch = buffer(w, w->macs * sizeof(float)); /* the membranes */
  if (!w->packed || !w->x || !w->y || !w->scratch) return false;
  bnn_lif_pack(&w->plan.lif, w->packed);
  return true;
}

static void run_bconv2d(struct workload *w) {
  bnn_bconv2d_run(&w->plan.bconv2d, w->packed, w->x, w->y, w->scratch, 0, w->plan.bconv2d.units);
}

bool workload_bconv2d(struct workload *w, const struct shape *s, const struct bnn_select *select) {
  const struct bnn_bconv2d_problem p = {
      .sizes = sizes_of(s, 1), .border = BNN_BORDER_ZERO,
      .output = s->bits ? BNN_BCONV2D_BITS : BNN_BCONV2D_F32, .lo = -INFINITY, .hi = INFINITY,
  };
  if (!bnn_bconv2d_plan(&w->plan.bconv2d, &p, false, select)) return false;
  const size_t pixels = (size_t)p.sizes.out_h * p.sizes.out_w, words = (s->channels + 31) / 32, taps = (size_t)s->kernel_h * s->kernel_w;
  w->kernel = bnn_bconv2d_kernel_name(&w->plan.bconv2d);
  w->run = run_bconv2d;
  w->macs = pixels * s->filters * s->channels * taps;
  w->packed = buffer(w, w->plan.bconv2d.packed_bytes);
  w->scratch = buffer(w, w->plan.bconv2d.scratch_bytes);
  w->x = buffer(w, (size_t)s->height * s->width * words * sizeof(uint32_t));
  w->y = buffer(w, pixels * s->filters * sizeof(float));
  const uint32_t *filter = buffer(w, s->filters * taps * words * sizeof(uint32_t));
  const float *constants = buffer(w, s->filters * sizeof(float));
  if (!w->packed || !w->scratch || !w->x || !w->y || !filter || !constants) return false;
  const struct bnn_bconv2d_weights weights = {.filter = filter, .multiplier = constants, .bias = constants,
                                              .threshold = (const int32_t *)constants};
  bnn_bconv2d_pack(&w->plan.bconv2d, &weights, w->packed);
  return true;
}

/* Buffers of a convolution whose weights and tensors have elements of so many bytes; *filter gets its weights. */
static bool convolution_buffers(struct workload *w, const struct bnn_convolution *sizes, size_t element, size_t packed,
                                size_t scratch, const void **filter) {
  w->macs = bnn_output_elements(sizes) * bnn_filter_elements(sizes);
  w->packed = buffer(w, packed);
  w->scratch = buffer(w, scratch);
  w->x = buffer(w, bnn_input_elements(sizes) * element);
  w->y = buffer(w, bnn_output_elements(sizes) * element);
  *filter = buffer(w, sizes->filters * bnn_filter_elements(sizes) * element);
  return w->packed && w->scratch && w->x && w->y && *filter;
}

static struct bnn_conv2d_problem float_problem(const struct shape *s, uint32_t groups) {
  return (struct bnn_conv2d_problem){.sizes = sizes_of(s, groups), .lo = -INFINITY, .hi = INFINITY};
}

static void run_conv2d(struct workload *w) {
  bnn_conv2d_run(&w->plan.conv2d, w->packed, w->x, w->y, w->scratch, 0, w->plan.conv2d.units);
}

bool workload_conv2d(struct workload *w, const struct shape *s, const struct bnn_select *select) {
  const struct bnn_conv2d_problem p = float_problem(s, 1);
  struct bnn_conv2d_plan *plan = &w->plan.conv2d;
  const void *filter;
  if (!bnn_conv2d_plan(plan, &p, select)) return false;
  w->kernel = bnn_conv2d_kernel_name(plan);
  w->run = run_conv2d;
  if (!convolution_buffers(w, &p.sizes, sizeof(float), plan->packed_bytes, plan->scratch_bytes, &filter)) return false;
  bnn_conv2d_pack(plan, filter, NULL, w->packed);
  return true;
}

static void run_depthwise(struct workload *w) {
  bnn_depthwise_run(&w->plan.depthwise, w->packed, w->x, w->y, w->scratch, 0, w->plan.depthwise.units);
}

bool workload_depthwise(struct workload *w, const struct shape *s, const struct bnn_select *select) {
  const struct bnn_conv2d_problem p = float_problem(s, s->channels);
  struct bnn_depthwise_plan *plan = &w->plan.depthwise;
  const void *filter;
  if (!bnn_is_depthwise(&p.sizes) || !bnn_depthwise_plan(plan, &p, select)) return false;
  w->kernel = bnn_depthwise_kernel_name(plan);
  w->run = run_depthwise;
  if (!convolution_buffers(w, &p.sizes, sizeof(float), plan->packed_bytes, plan->scratch_bytes, &filter)) return false;
  bnn_depthwise_pack(plan, filter, NULL, w->packed);
  return true;
}

static struct bnn_iconv2d_problem code_problem(const struct shape *s, uint32_t groups) {
  return (struct bnn_iconv2d_problem){.sizes = sizes_of(s, groups), .x_zero = -1, .border = -1, .lo = INT8_MIN, .hi = INT8_MAX};
}

static struct bnn_ratio *ratios(struct workload *w, uint32_t count) {
  struct bnn_ratio *all = buffer(w, count * sizeof *all);
  for (uint32_t i = 0; all && i < count; i++) bnn_ratio_of(1.0 / 1024, &all[i]);
  return all;
}

static void run_igemm(struct workload *w) {
  bnn_iconv2d_run(&w->plan.iconv2d, w->packed, w->x, w->y, w->scratch, 0, w->plan.iconv2d.units);
}

bool workload_igemm(struct workload *w, const struct shape *s, const struct bnn_select *select) {
  const struct bnn_iconv2d_problem p = code_problem(s, 1);
  struct bnn_iconv2d_plan *plan = &w->plan.iconv2d;
  const void *filter;
  if (!bnn_iconv2d_plan(plan, &p, select)) return false;
  w->kernel = bnn_iconv2d_kernel_name(plan);
  w->run = run_igemm;
  if (!convolution_buffers(w, &p.sizes, sizeof(int8_t), plan->packed_bytes, plan->scratch_bytes, &filter)) return false;
  const struct bnn_iconv2d_weights weights = {.filter = filter, .ratio = ratios(w, s->filters)};
  if (!weights.ratio) return false;
  bnn_iconv2d_pack(plan, &weights, w->packed);
  return true;
}

static void run_idepthwise(struct workload *w) {
  bnn_idepthwise_run(&w->plan.idepthwise, w->packed, w->x, w->y, 0, w->plan.idepthwise.units);
}

bool workload_idepthwise(struct workload *w, const struct shape *s, const struct bnn_select *select) {
  const struct bnn_iconv2d_problem p = code_problem(s, s->channels);
  struct bnn_idepthwise_plan *plan = &w->plan.idepthwise;
  const void *filter;
  if (!bnn_idepthwise_fits(&p.sizes) || !bnn_idepthwise_plan(plan, &p, select)) return false;
  w->kernel = bnn_idepthwise_kernel_name(plan);
  w->run = run_idepthwise;
  if (!convolution_buffers(w, &p.sizes, sizeof(int8_t), plan->packed_bytes, 0, &filter)) return false;
  const struct bnn_iconv2d_weights weights = {.filter = filter, .ratio = ratios(w, s->filters)};
  if (!weights.ratio) return false;
  bnn_idepthwise_pack(plan, &weights, w->packed);
  return true;
}
