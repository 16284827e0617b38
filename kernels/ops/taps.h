/* SPDX-License-Identifier: Apache-2.0 */
/* Which taps of a window lie inside the image. */
#ifndef BNN_OPS_TAPS_H
#define BNN_OPS_TAPS_H

#include "runtime/value.h"

/* Taps [first, last) of `kernel` taps, `dilation` apart, the first one at `origin`, that fall into [0, size). */
struct bnn_taps {
  uint32_t first, last;
};

static inline struct bnn_taps bnn_taps_inside(int64_t origin, uint32_t kernel, uint32_t dilation, uint32_t size) {
  if (origin >= 0 && origin + (int64_t)(kernel - 1) * dilation < size) return (struct bnn_taps){0, kernel};
  int64_t first = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
  int64_t last = origin < size ? ((int64_t)size - origin + dilation - 1) / dilation : 0;
  if (last > kernel) last = kernel;
  if (first > last) first = last;
  return (struct bnn_taps){(uint32_t)first, (uint32_t)last};
}

/* A window at one output pixel: the taps inside the image, and where the first tap of all would be. */
struct bnn_window_at {
  int64_t y, x;
  struct bnn_taps rows, columns;
};

static inline struct bnn_window_at bnn_window_at(const struct bnn_window *window, const struct bnn_value *input,
                                                 uint32_t out_y, uint32_t out_x) {
  struct bnn_window_at at = {
      .y = (int64_t)out_y * window->stride_h - window->pad_top,
      .x = (int64_t)out_x * window->stride_w - window->pad_left,
  };
  at.rows = bnn_taps_inside(at.y, window->kernel_h, window->dilation_h, input->shape[1]);
  at.columns = bnn_taps_inside(at.x, window->kernel_w, window->dilation_w, input->shape[2]);
  return at;
}

static inline bool bnn_tap_is_inside(const struct bnn_window_at *at, uint32_t i, uint32_t j) {
  return i >= at->rows.first && i < at->rows.last && j >= at->columns.first && j < at->columns.last;
}

/* The pixel of the input, counted over all images, that tap (i, j) reads. */
static inline size_t bnn_tap_pixel(const struct bnn_window *window, const struct bnn_value *input,
                                   const struct bnn_window_at *at, size_t image, uint32_t i, uint32_t j) {
  size_t y = (size_t)(at->y + (int64_t)i * window->dilation_h), x = (size_t)(at->x + (int64_t)j * window->dilation_w);
  return (image * input->shape[1] + y) * input->shape[2] + x;
}

#endif
