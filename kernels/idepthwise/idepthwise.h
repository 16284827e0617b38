/* SPDX-License-Identifier: Apache-2.0 */
/* idepthwise: a conv2d of int8 codes with one filter a channel: groups == channels == filters.
 * Verbs and layouts are those of igemm/conv2d.h; the filter is int8 [filters][kernel_h][kernel_w][1]. */
#ifndef BNN_IDEPTHWISE_IDEPTHWISE_H
#define BNN_IDEPTHWISE_IDEPTHWISE_H

#include "igemm/conv2d.h"

struct bnn_idepthwise_plan {
  struct bnn_iconv2d_problem problem;
  const struct bnn_idepthwise_kernel *kernel;
  size_t packed_bytes;
  size_t units; /* run splits into this many pieces: output rows */
};

/* Whether this family computes the problem; otherwise igemm does. */
bool bnn_idepthwise_fits(const struct bnn_convolution *sizes);

bool bnn_idepthwise_plan(struct bnn_idepthwise_plan *plan, const struct bnn_iconv2d_problem *problem,
                         const struct bnn_select *select);
void bnn_idepthwise_pack(const struct bnn_idepthwise_plan *plan, const struct bnn_iconv2d_weights *weights, void *packed);
void bnn_idepthwise_run(const struct bnn_idepthwise_plan *plan, const void *packed, const int8_t *x, int8_t *y,
                        size_t begin, size_t end);
const char *bnn_idepthwise_kernel_name(const struct bnn_idepthwise_plan *plan);

#endif
