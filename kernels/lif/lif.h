/* SPDX-License-Identifier: Apache-2.0 */
/* lif: one time step of spiking neurons, the op `lif`; include/bnn/format.h has its equations.
 *
 * Plan once, pack the constants once, then run any range of units from any number of threads. */
#ifndef BNN_LIF_LIF_H
#define BNN_LIF_LIF_H

#include "base/family.h"
#include "bnn/format.h"

/* In the order of the op's inputs behind x. */
enum bnn_lif_constant {
  BNN_LIF_THRESHOLD,
  BNN_LIF_DECAY,
  BNN_LIF_GAIN,
  BNN_LIF_OFFSET,
  BNN_LIF_RESET,
  BNN_LIF_INITIAL,
  BNN_LIF_CONSTANTS
};

struct bnn_lif_problem {
  size_t pixels;     /* product of all axes but the last */
  uint32_t channels; /* the last axis */
  struct bnn_lif_params params;
  bool bits; /* spikes are written as bits */
  /* float, or NULL where it does nothing; `counts` of them: 1, channels, or pixels * channels (a neuron's own) */
  const float *constants[BNN_LIF_CONSTANTS];
  size_t counts[BNN_LIF_CONSTANTS];
};

struct bnn_lif_plan {
  struct bnn_lif_problem problem;
  const struct bnn_lif_kernel *kernel;
  size_t packed_bytes; /* 64-byte aligned */
  size_t units;        /* run splits into this many pieces (pixels) */
  bool leaks;          /* a membrane is more than the sum of what came in */
};

/* False: the kernel forced for this family does not exist here. */
bool bnn_lif_plan(struct bnn_lif_plan *plan, const struct bnn_lif_problem *problem, const struct bnn_select *select);
void bnn_lif_pack(const struct bnn_lif_plan *plan, void *packed);

/* x, v: float [pixels][channels]; y: float of the same shape, which may be x, or words [pixels][ceil(channels / 32)].
 * v holds the membranes from step to step; before the first one, nothing. Does the pixels [begin, end). */
void bnn_lif_run(const struct bnn_lif_plan *plan, const void *packed, const float *x, float *v, void *y, bool first_step,
                 size_t begin, size_t end);
const char *bnn_lif_kernel_name(const struct bnn_lif_plan *plan);

#endif
