/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding sizes up. */
#ifndef BNN_BASE_SIZES_H
#define BNN_BASE_SIZES_H

#include <stddef.h>
#include <stdint.h>

#include "bnn/format.h"

static inline uint32_t bnn_ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }
static inline uint32_t bnn_round_up(uint32_t a, uint32_t multiple) { return bnn_ceil_div(a, multiple) * multiple; }

/* To what buffers are aligned to, so that the next may follow. */
static inline size_t bnn_aligned(size_t bytes) { return (bytes + BNN_ALIGN - 1) & ~(size_t)(BNN_ALIGN - 1); }

#endif
