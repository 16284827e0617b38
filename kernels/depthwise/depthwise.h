/* SPDX-License-Identifier: Apache-2.0 */
/* depthwise: a float conv2d with one filter a channel: groups == channels == filters.
 * Verbs and layouts are those of sgemm/conv2d.h; the filter is float [filters][kernel_h][kernel_w][1]. */
#ifndef BNN_DEPTHWISE_DEPTHWISE_H
#define BNN_DEPTHWISE_DEPTHWISE_H

#include "sgemm/conv2d.h"

struct bnn_depthwise_plan {
  struct bnn_conv2d_problem problem;
  const struct bnn_depthwise_kernel *kernel;
  size_t packed_bytes;  /* 64-byte aligned */
  size_t scratch_bytes; /* one for each thread, 64-byte aligned */
  size_t units;         /* run splits into this many pieces: bands of rows */
  struct bnn_patches patches;
};

/* The sizes must be depthwise (bnn_is_depthwise). */
bool bnn_depthwise_plan(struct bnn_depthwise_plan *plan, const struct bnn_conv2d_problem *problem,
                        const struct bnn_select *select);
void bnn_depthwise_pack(const struct bnn_depthwise_plan *plan, const float *filter, const float *bias, void *packed);
void bnn_depthwise_run(const struct bnn_depthwise_plan *plan, const void *packed, const float *x, float *y, void *scratch,
                       size_t begin, size_t end);
const char *bnn_depthwise_kernel_name(const struct bnn_depthwise_plan *plan);

#endif
