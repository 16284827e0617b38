/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BNN_BASE_CLOCK_H
#define BNN_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of a monotonic clock that no time server slews (CLOCK_MONOTONIC_RAW where there is one). */
uint64_t bnn_clock_ns(void);

/* The smallest step seen between two different readings, in nanoseconds: 1 where the clock is finer than that. */
uint64_t bnn_clock_tick_ns(void);

#endif
