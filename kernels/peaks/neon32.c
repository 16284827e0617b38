/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__arm__) && defined(__ARM_NEON)
#include "peaks/neon.h"

double bnn_peak_popcount_neon32(size_t times) { return count_bits(times, 6); }
double bnn_peak_fma_neon32(size_t times) { return multiply_floats(times, 10); }

#else
typedef int bnn_peaks_neon32_is_empty;
#endif
