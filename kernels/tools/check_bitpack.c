/* SPDX-License-Identifier: Apache-2.0 */
#include "bitpack/bitpack.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "tools/check.h"

static const float edges[] = {0.0f, -0.0f, FLT_MIN, -FLT_MIN, FLT_MIN / 2, -FLT_MIN / 2, 1e-45f, -1e-45f,
                              FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN};

static float draw(struct check_case *c) {
  return check_between(c, 0, 2) ? check_float(c) : edges[check_between(c, 0, sizeof edges / sizeof *edges - 1)];
}

static float flush(float x) { return fabsf(x) < FLT_MIN ? 0.0f : x; }

static void run(const struct check_work *w, size_t begin, size_t end) {
  bnn_bitpack_run(w->plan, w->packed, w->x, w->y, begin, end);
}

bool check_bitpack(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  static const uint32_t sizes[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 96, 128, 160, 200, 256};
  const struct bnn_bitpack_problem p = {check_between(c, 1, 40), check_pick(c, sizes, sizeof sizes / sizeof *sizes)};
  const size_t words = (p.channels + 31) / 32;
  const uint32_t thresholds = check_between(c, 0, 1) ? p.channels : 1;
  snprintf(c->shape, sizeof c->shape, "%zux%u, %u thresholds", p.pixels, (unsigned)p.channels, (unsigned)thresholds);

  float *threshold = check_buffer(c, thresholds * sizeof *threshold);
  for (uint32_t i = 0; i < thresholds; i++) threshold[i] = draw(c);
  const uint32_t *invert = check_between(c, 0, 1) ? check_bits(c, 1, p.channels) : NULL;
  float *x = check_buffer(c, p.pixels * p.channels * sizeof *x);
  for (size_t i = 0; i < p.pixels * p.channels; i++) x[i] = draw(c);

  struct bnn_bitpack_plan plan;
  if (!bnn_bitpack_plan(&plan, &p, select)) return *skipped = true;
  uint32_t *expected = check_buffer(c, p.pixels * words * sizeof *expected);
  for (size_t i = 0; i < p.pixels * words; i++) expected[i] = 0;
  for (size_t i = 0; i < p.pixels; i++)
    for (uint32_t channel = 0; channel < p.channels; channel++) {
      uint32_t bit = flush(x[i * p.channels + channel]) < threshold[thresholds == 1 ? 0 : channel];
      if (invert) bit ^= invert[channel / 32] >> channel % 32 & 1;
      expected[i * words + channel / 32] |= bit << channel % 32;
    }
  void *packed = check_buffer(c, plan.packed_bytes);
  const struct check_work work = {&plan, packed, x, check_buffer(c, p.pixels * words * sizeof *expected), NULL};
  bnn_bitpack_pack(&plan, threshold, thresholds, invert, packed);
  check_split(c, plan.units, run, &work);
  return check_equal_words(c, work.y, expected, p.pixels * words);
}
