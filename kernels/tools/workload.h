/* SPDX-License-Identifier: Apache-2.0 */
/* One operation of a family on one shape, ready to be timed. */
#ifndef BNN_TOOLS_WORKLOAD_H
#define BNN_TOOLS_WORKLOAD_H

#include "bconv2d/bconv2d.h"
#include "bitpack/bitpack.h"
#include "depthwise/depthwise.h"
#include "idepthwise/idepthwise.h"
#include "lif/lif.h"
#include "sgemm/conv2d.h"

/* "56x56x64->64 3x3/2 bits": input, filters, kernel, stride (1 where left out), output (f32 where left out); pads keep the
 * image's size as "same" does. "56x56x64" for bitpack and lif. */
struct shape {
  uint32_t height, width, channels, filters, kernel_h, kernel_w, stride;
  bool bits;
};

bool shape_parse(const char *text, struct shape *shape);

enum { WORKLOAD_BUFFERS = 6 };

struct workload {
  union {
    struct bnn_bitpack_plan bitpack;
    struct bnn_bconv2d_plan bconv2d;
    struct bnn_conv2d_plan conv2d;
    struct bnn_depthwise_plan depthwise;
    struct bnn_iconv2d_plan iconv2d;
    struct bnn_idepthwise_plan idepthwise;
    struct bnn_lif_plan lif;
  } plan;
  void (*run)(struct workload *workload); /* the whole operation, on one thread */
  const char *kernel;                     /* the name of the one that was chosen */
  uint64_t macs;                          /* bitpack: values; lif: neurons */
  void *packed, *x, *y, *scratch;
  void *buffers[WORKLOAD_BUFFERS];
  size_t buffer_count;
};

/* Plans and packs with random data. False: there is no memory, or the select allows no kernel. Close it in any case. */
typedef bool workload_open(struct workload *workload, const struct shape *shape, const struct bnn_select *select);
workload_open workload_bitpack, workload_bconv2d, workload_conv2d, workload_depthwise, workload_igemm, workload_idepthwise, workload_lif;
void workload_close(struct workload *workload);

#endif
