/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d of int8 codes, dense layers and 1x1 convolutions too:
 *   y = held(rescaled(sum of (x - x_zero) * w + bias, ratio) + y_zero, lo, hi)
 *
 * An implicit gemm as sgemm/conv2d.h; the input rows are laid out in the form that the kernel multiplies. Plan once, pack
 * the weights once, then run any range of units from any number of threads. */
#ifndef BNN_IGEMM_CONV2D_H
#define BNN_IGEMM_CONV2D_H

#include "base/family.h"
#include "base/rescale.h"
#include "base/tiles.h"

struct bnn_iconv2d_problem {
  struct bnn_convolution sizes;
  int32_t x_zero, border; /* codes: of zero, and what a tap outside the image reads */
  int32_t y_zero, lo, hi;
};

struct bnn_iconv2d_weights {
  const int8_t *filter; /* [filters][kernel_h][kernel_w][channels / groups] */
  const int32_t *bias;  /* [filters], or NULL */
  const struct bnn_ratio *ratio; /* [filters] */
};

struct bnn_iconv2d_plan {
  struct bnn_iconv2d_problem problem;
  const struct bnn_igemm_kernel *kernel;
  size_t packed_bytes;  /* 64-byte aligned */
  size_t scratch_bytes; /* one for each thread, 64-byte aligned; contents need not survive between runs */
  size_t units;         /* run splits into this many pieces */
  /* The driver's own. A "word" of these patches is one code. */
  struct bnn_patches patches;
  struct bnn_tiles tiles;
};

/* The window must have been validated. False: the kernel forced for this family does not exist here. */
bool bnn_iconv2d_plan(struct bnn_iconv2d_plan *plan, const struct bnn_iconv2d_problem *problem,
                      const struct bnn_select *select);

void bnn_iconv2d_pack(const struct bnn_iconv2d_plan *plan, const struct bnn_iconv2d_weights *weights, void *packed);

/* x: int8 [batch][in_h][in_w][channels]; y: int8 [batch][out_h][out_w][filters]. */
void bnn_iconv2d_run(const struct bnn_iconv2d_plan *plan, const void *packed, const int8_t *x, int8_t *y, void *scratch,
                     size_t begin, size_t end);

const char *bnn_iconv2d_kernel_name(const struct bnn_iconv2d_plan *plan);

#endif
