/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d in float: y = clamp(conv(pad(x, pad_value), filter) + bias, lo, hi). Dense layers and 1x1 convolutions too.
 *
 * An implicit gemm: the kernels of the family `sgemm` read patches where they lie. Where every filter reads one channel, the
 * depthwise family is the right one. Plan once, pack the weights once, then run any range of units from any number of
 * threads; results do not depend on how the range is split. */
#ifndef BNN_SGEMM_CONV2D_H
#define BNN_SGEMM_CONV2D_H

#include "base/family.h"
#include "base/tiles.h"

struct bnn_conv2d_problem {
  struct bnn_convolution sizes;
  float pad_value;
  float lo, hi; /* -inf, +inf where there is no activation */
};

struct bnn_conv2d_plan {
  struct bnn_conv2d_problem problem;
  const struct bnn_sgemm_kernel *kernel;
  size_t packed_bytes;  /* 64-byte aligned */
  size_t scratch_bytes; /* one for each thread, 64-byte aligned; contents need not survive between runs */
  size_t units;         /* run splits into this many pieces */
  /* The driver's own. */
  struct bnn_patches patches;
  struct bnn_tiles tiles;
};

/* The window must have been validated: strides, dilations and kernel at least 1, the output's size that of the window.
 * False: the kernel forced for this family does not exist here. */
bool bnn_conv2d_plan(struct bnn_conv2d_plan *plan, const struct bnn_conv2d_problem *problem,
                     const struct bnn_select *select);

/* filter: float [filters][kernel_h][kernel_w][channels / groups]; bias: float [filters] or NULL. */
void bnn_conv2d_pack(const struct bnn_conv2d_plan *plan, const float *filter, const float *bias, void *packed);

/* x: float [batch][in_h][in_w][channels]; y: float [batch][out_h][out_w][filters]. */
void bnn_conv2d_run(const struct bnn_conv2d_plan *plan, const void *packed, const float *x, float *y, void *scratch,
                    size_t begin, size_t end);

const char *bnn_conv2d_kernel_name(const struct bnn_conv2d_plan *plan);

#endif
