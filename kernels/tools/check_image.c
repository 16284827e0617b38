/* SPDX-License-Identifier: Apache-2.0 */
/* Random convolutions, and what their definition reads. */
#include <stdio.h>

#include "tools/check.h"

/* Where the axis reads outside the image is as much a part of the case as the sizes are: pads go up to the whole kernel. */
static uint32_t output_size(uint32_t in, uint32_t before, uint32_t after, uint32_t extent, uint32_t stride) {
  return in + before + after < extent ? 0 : (in + before + after - extent) / stride + 1;
}

struct bnn_convolution check_image(struct check_case *c, uint32_t largest) {
  static const uint32_t kernels[] = {1, 1, 2, 3, 3, 3, 5, 7}, strides[] = {1, 1, 1, 2, 3}, dilations[] = {1, 1, 1, 2, 4};
  struct bnn_convolution i = {.groups = 1};
  do {
    const uint32_t kh = check_pick(c, kernels, 8), kw = check_between(c, 0, 3) ? kh : check_pick(c, kernels, 8);
    const uint32_t dh = check_pick(c, dilations, 5), dw = check_between(c, 0, 3) ? dh : check_pick(c, dilations, 5);
    const uint32_t eh = (kh - 1) * dh, ew = (kw - 1) * dw;
    const bool padded = check_between(c, 0, 2) > 0;
    i.batch = check_between(c, 0, 4) ? 1 : check_between(c, 2, 3);
    i.in_h = check_between(c, 1, largest);
    i.in_w = check_between(c, 1, largest);
    i.window = (struct bnn_window){
        .kernel_h = kh, .kernel_w = kw,
        .stride_h = check_pick(c, strides, 5), .stride_w = check_pick(c, strides, 5),
        .dilation_h = dh, .dilation_w = dw,
        .pad_top = padded ? check_between(c, 0, eh) : 0, .pad_left = padded ? check_between(c, 0, ew) : 0,
        .pad_bottom = padded ? check_between(c, 0, eh) : 0, .pad_right = padded ? check_between(c, 0, ew) : 0,
    };
    i.out_h = output_size(i.in_h, i.window.pad_top, i.window.pad_bottom, eh + 1, i.window.stride_h);
    i.out_w = output_size(i.in_w, i.window.pad_left, i.window.pad_right, ew + 1, i.window.stride_w);
  } while (!i.out_h || !i.out_w);
  return i;
}

void check_channels(struct check_case *c, struct bnn_convolution *sizes) {
  static const uint32_t counts[] = {1, 2, 3, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 40, 64};
  sizes->channels = check_pick(c, counts, sizeof counts / sizeof *counts);
  sizes->filters = check_pick(c, counts, sizeof counts / sizeof *counts);
  if (check_between(c, 0, 4)) return;
  sizes->groups = check_between(c, 2, 3);
  sizes->channels *= sizes->groups;
  sizes->filters *= sizes->groups;
}

void check_depthwise_channels(struct check_case *c, struct bnn_convolution *sizes) {
  static const uint32_t counts[] = {2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 70};
  sizes->groups = sizes->filters = sizes->channels = check_pick(c, counts, sizeof counts / sizeof *counts);
}

bool check_tap(const struct bnn_convolution *s, size_t pixel, uint32_t tap, size_t *read) {
  const struct bnn_window *w = &s->window;
  const size_t row = pixel / s->out_w;
  const int64_t y = (int64_t)(row % s->out_h * w->stride_h) + (int64_t)tap / w->kernel_w * w->dilation_h - w->pad_top;
  const int64_t x = (int64_t)(pixel % s->out_w * w->stride_w) + (int64_t)tap % w->kernel_w * w->dilation_w - w->pad_left;
  const bool inside = y >= 0 && y < s->in_h && x >= 0 && x < s->in_w;
  *read = inside ? (row / s->out_h * s->in_h + (size_t)y) * s->in_w + (size_t)x : 0;
  return inside;
}

void check_describe(struct check_case *c, const struct bnn_convolution *s, const char *rest) {
  const struct bnn_window *w = &s->window;
  snprintf(c->shape, sizeof c->shape, "%ux%ux%ux%u->%u %ux%u stride %ux%u dilation %ux%u pads %u,%u,%u,%u groups %u %s",
           (unsigned)s->batch, (unsigned)s->in_h, (unsigned)s->in_w, (unsigned)s->channels, (unsigned)s->filters,
           (unsigned)w->kernel_h, (unsigned)w->kernel_w, (unsigned)w->stride_h, (unsigned)w->stride_w,
           (unsigned)w->dilation_h, (unsigned)w->dilation_w, (unsigned)w->pad_top, (unsigned)w->pad_left,
           (unsigned)w->pad_bottom, (unsigned)w->pad_right, (unsigned)s->groups, rest);
}
