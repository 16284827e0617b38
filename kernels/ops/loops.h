/* SPDX-License-Identifier: Apache-2.0 */
/* What the simple float loops of the ops share. */
#ifndef BNN_OPS_LOOPS_H
#define BNN_OPS_LOOPS_H

#include <float.h>
#include <math.h>

#include "ops/rules.h"

/* An op that works in place reads y[i] where it writes y[i] and nowhere else. A compiler cannot know that, and would
 * take its slow path for overlapping arrays. */
#if defined(__clang__)
#define BNN_EACH _Pragma("clang loop vectorize(assume_safety)")
#else
#define BNN_EACH _Pragma("GCC ivdep")
#endif

/* Elements that a piece should have before another thread helps: below, waking it costs more than the work. */
#define BNN_GRAIN_ELEMENTS 8192u

static inline size_t bnn_grain(size_t unit_elements) {
  return unit_elements >= BNN_GRAIN_ELEMENTS ? 1 : BNN_GRAIN_ELEMENTS / unit_elements;
}

/* The same for a layer of products: `macs` in all, of which a core does `rate` in the time of one element. */
static inline size_t bnn_grain_macs(uint64_t macs, uint32_t rate, size_t units) {
  return bnn_grain((size_t)(macs / rate / units) + 1);
}

static inline float bnn_clampf(float x, float lo, float hi) {
  x = x < lo ? lo : x;
  return x > hi ? hi : x;
}

static inline bool bnn_clamps(float lo, float hi) { return lo > -INFINITY || hi < INFINITY; }

static inline void bnn_clamp_row(float *y, size_t n, float lo, float hi) {
  if (!bnn_clamps(lo, hi)) return;
  BNN_EACH
  for (size_t i = 0; i < n; i++) y[i] = bnn_clampf(y[i], lo, hi);
}

/* Denormal numbers count as zero, whatever mode the floating-point unit is in. */
static inline float bnn_flush(float x) { return fabsf(x) < FLT_MIN ? 0.0f : x; }

/* The check and the plan of an op that treats all floats of its input alike: a unit is one element of the output. */
static inline enum bnn_status bnn_check_elements(const struct bnn_call *call, struct bnn_error *error) {
  BNN_TRY(bnn_rule_floats(call, 1, error));
  return bnn_rule_same_shape(call, error);
}

static inline enum bnn_status bnn_plan_elements(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  (void)error;
  plan->units = bnn_value_elements(call->output);
  plan->unit_elements = 1;
  plan->grain = BNN_GRAIN_ELEMENTS;
  plan->local = true;
  plan->in_place = 1;
  return BNN_E_OK;
}

/* A unit is one pixel of the output, which costs as much as `elements`. */
static inline void bnn_plan_pixels(const struct bnn_call *call, struct bnn_plan *plan, size_t elements) {
  plan->units = bnn_value_pixels(call->output);
  plan->unit_elements = bnn_value_channels(call->output);
  plan->grain = bnn_grain(elements);
}

#endif
