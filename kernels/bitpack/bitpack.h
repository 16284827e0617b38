/* SPDX-License-Identifier: Apache-2.0 */
/* bitpack: float values to bits, the op `quantize`. bit = (x < threshold[c]) ^ invert[c].
 *
 * Plan once, pack the constants once, then run any range of pixels from any number of threads. */
#ifndef BNN_BITPACK_BITPACK_H
#define BNN_BITPACK_BITPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/family.h"

struct bnn_bitpack_problem {
  size_t pixels;     /* product of all axes but the last */
  uint32_t channels; /* the last axis */
};

struct bnn_bitpack_plan {
  struct bnn_bitpack_problem problem;
  const struct bnn_bitpack_kernel *kernel;
  size_t packed_bytes; /* of the constants, 64-byte aligned */
  size_t units;        /* run splits into this many pieces (pixels) */
};

/* False: the kernel forced for this family does not exist here or does not fit. */
bool bnn_bitpack_plan(struct bnn_bitpack_plan *plan, const struct bnn_bitpack_problem *problem,
                      const struct bnn_select *select);

/* threshold: float[threshold_count], threshold_count 1 or channels. invert: words of ceil(channels / 32), or NULL. */
void bnn_bitpack_pack(const struct bnn_bitpack_plan *plan, const float *threshold, uint32_t threshold_count,
                      const uint32_t *invert, void *packed);

/* x: float [pixels][channels]; y: words [pixels][ceil(channels / 32)]; writes the pixels [begin, end). */
void bnn_bitpack_run(const struct bnn_bitpack_plan *plan, const void *packed, const float *x, uint32_t *y, size_t begin,
                     size_t end);

/* Name of the chosen kernel. */
const char *bnn_bitpack_kernel_name(const struct bnn_bitpack_plan *plan);

#endif
