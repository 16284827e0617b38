/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes of a convolution, whatever its numbers are. Tensors are NHWC, filters OHWI. */
#ifndef BNN_BASE_CONVOLUTION_H
#define BNN_BASE_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bnn/format.h"

struct bnn_convolution {
  uint32_t batch;
  uint32_t in_h, in_w, channels;  /* of the whole input, before grouping */
  uint32_t out_h, out_w, filters; /* of the whole output */
  struct bnn_window window;
  uint32_t groups;
};

/* A dense layer y[rows][outputs] = x[rows][inputs] * weight[outputs][inputs]^T: rows become the pixels of one image. */
static inline struct bnn_convolution bnn_convolution_of_dense(uint32_t rows, uint32_t inputs, uint32_t outputs) {
  return (struct bnn_convolution){
      .batch = 1,
      .in_h = rows, .in_w = 1, .channels = inputs,
      .out_h = rows, .out_w = 1, .filters = outputs,
      .window = {.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1},
      .groups = 1,
  };
}

/* One filter a channel: nothing is summed over channels, and a matrix product has no use. */
static inline bool bnn_is_depthwise(const struct bnn_convolution *c) {
  return c->groups == c->channels && c->filters == c->channels && c->groups > 1;
}

static inline size_t bnn_input_elements(const struct bnn_convolution *c) {
  return (size_t)c->batch * c->in_h * c->in_w * c->channels;
}

static inline size_t bnn_output_elements(const struct bnn_convolution *c) {
  return (size_t)c->batch * c->out_h * c->out_w * c->filters;
}

/* Weights of one filter. */
static inline size_t bnn_filter_elements(const struct bnn_convolution *c) {
  return (size_t)c->window.kernel_h * c->window.kernel_w * (c->channels / c->groups);
}

#endif
