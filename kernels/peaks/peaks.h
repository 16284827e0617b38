/* SPDX-License-Identifier: Apache-2.0 */
/* The roofs that kernels are measured against: loops in registers, with as many independent sums as hide every latency, of
 * the very instructions that the kernels of an ISA are made of. */
#ifndef BNN_PEAKS_PEAKS_H
#define BNN_PEAKS_PEAKS_H

#include <stddef.h>

#include "base/cpu.h"

/* Repeats its loop `times` times; returns the work done: binary multiply-accumulates, or floating-point operations. */
typedef double bnn_peak_fn(size_t times);

struct bnn_peak {
  const char *name; /* "popcount" or "fma" */
  const char *isa;
  uint32_t isa_bits;
  bnn_peak_fn *run;
};

extern const struct bnn_peak bnn_peaks[];
extern const size_t bnn_peak_count;

#define BNN_PEAK(name, isa, ISA) bnn_peak_fn bnn_peak_##name##_##isa;
#include "peaks/peaks.inc"
#undef BNN_PEAK

#endif
