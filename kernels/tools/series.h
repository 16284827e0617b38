/* SPDX-License-Identifier: Apache-2.0 */
/* What the runner itself needs to know about a series of times; everything else is the reader's. */
#ifndef BNN_TOOLS_SERIES_H
#define BNN_TOOLS_SERIES_H

#include <stdbool.h>
#include <stddef.h>

/* The median of values[0 .. count), which it sorts. */
double series_median(double *values, size_t count);

/* Do the last two windows agree: medians within 1 %, spreads (MAD) within 25 % or both below half a percent, and no
 * trend within the later one? `window` is at most SERIES_WINDOW. */
#define SERIES_WINDOW 20
bool series_steady(const double *values, size_t count, size_t window);

#endif
