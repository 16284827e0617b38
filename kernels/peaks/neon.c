/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__aarch64__)
#include "peaks/neon.h"

double bnn_peak_popcount_neon(size_t times) { return count_bits(times, 8); }
double bnn_peak_fma_neon(size_t times) { return multiply_floats(times, 16); }

#else
typedef int bnn_peaks_neon_is_empty;
#endif
