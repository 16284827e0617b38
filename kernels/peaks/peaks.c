/* SPDX-License-Identifier: Apache-2.0 */
#include "peaks/peaks.h"

const struct bnn_peak bnn_peaks[] = {
#define BNN_PEAK(name, isa, ISA) {#name, #isa, BNN_ISA_##ISA, bnn_peak_##name##_##isa},
#include "peaks/peaks.inc"
#undef BNN_PEAK
};
const size_t bnn_peak_count = sizeof bnn_peaks / sizeof *bnn_peaks;
