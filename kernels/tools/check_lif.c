/* SPDX-License-Identifier: Apache-2.0 */
#include "lif/lif.h"

#include <math.h>
#include <stdio.h>

#include "tools/check.h"

enum { STEPS = 3 };

/* Of one constant; it may be absent, single, a channel's or a neuron's. */
static float constant(const struct bnn_lif_problem *p, int which, size_t neuron, float absent) {
  return p->constants[which] ? p->constants[which][neuron % p->counts[which]] : absent;
}

static void draw(struct check_case *c, struct bnn_lif_problem *p, int which) {
  const size_t counts[] = {1, p->channels, p->pixels * p->channels};
  p->counts[which] = counts[check_between(c, 0, 2)];
  float *data = check_buffer(c, p->counts[which] * sizeof *data);
  for (size_t i = 0; i < p->counts[which]; i++) data[i] = which == BNN_LIF_THRESHOLD ? 0.5f + fabsf(check_float(c)) : check_float(c);
  p->constants[which] = data;
}

static float spikes(const struct bnn_lif_params *params, float h, float threshold) {
  if (params->emit == BNN_EMIT_COUNT) return h > 0.0f ? floorf(h / threshold) : 0.0f;
  return (params->strict ? h > threshold : h >= threshold) ? 1.0f : 0.0f;
}

/* One neuron's step as include/bnn/format.h has it. */
static float step(const struct bnn_lif_problem *p, size_t neuron, float x, float *v) {
  float h = constant(p, BNN_LIF_DECAY, neuron, 1.0f) * *v + constant(p, BNN_LIF_GAIN, neuron, 1.0f) * x;
  h += constant(p, BNN_LIF_OFFSET, neuron, 0.0f);
  if (p->params.emit == BNN_EMIT_MEMBRANE) return *v = h;
  const float threshold = constant(p, BNN_LIF_THRESHOLD, neuron, 0.0f);
  if (p->params.reset == BNN_RESET_SUBTRACT_LATER) h -= spikes(&p->params, *v, threshold) * threshold;
  const float spiked = spikes(&p->params, h, threshold);
  *v = h;
  if (p->params.reset == BNN_RESET_SUBTRACT) *v = h - spiked * threshold;
  if (p->params.reset == BNN_RESET_VALUE && spiked > 0.0f) *v = constant(p, BNN_LIF_RESET, neuron, 0.0f);
  return spiked;
}

/* Scratch: the membranes, and whether this is the first step. */
struct state {
  float *v;
  bool first;
};

static void run(const struct check_work *w, size_t begin, size_t end) {
  const struct state *state = w->scratch;
  bnn_lif_run(w->plan, w->packed, w->x, state->v, w->y, state->first, begin, end);
}

bool check_lif(struct check_case *c, const struct bnn_select *select, bool *skipped) {
  static const uint32_t sizes[] = {1, 2, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 255, 256, 257, 300};
  struct bnn_lif_problem p = {.pixels = check_between(c, 1, 40), .channels = check_pick(c, sizes, sizeof sizes / sizeof *sizes)};
  p.params = (struct bnn_lif_params){check_between(c, 0, BNN_EMIT_MEMBRANE), check_between(c, 0, BNN_RESET_VALUE),
                                     check_between(c, 0, 1), check_between(c, 0, 1)};
  p.bits = p.params.emit == BNN_EMIT_SPIKE && check_between(c, 0, 1);
  snprintf(c->shape, sizeof c->shape, "%zux%u, emit %u, reset %u, strict %u%s", p.pixels, (unsigned)p.channels,
           (unsigned)p.params.emit, (unsigned)p.params.reset, (unsigned)p.params.strict, p.bits ? ", bits" : "");
  for (int k = 0; k < BNN_LIF_CONSTANTS; k++)
    if (k == BNN_LIF_THRESHOLD ? p.params.emit != BNN_EMIT_MEMBRANE : check_between(c, 0, 1)) draw(c, &p, k);

  struct bnn_lif_plan plan;
  if (!bnn_lif_plan(&plan, &p, select)) return *skipped = true;
  const size_t n = p.pixels * p.channels, words = (p.channels + 31) / 32;
  void *packed = check_buffer(c, plan.packed_bytes);
  bnn_lif_pack(&plan, packed);
  float *x = check_buffer(c, n * sizeof *x), *v = check_buffer(c, n * sizeof *v), *membranes = check_buffer(c, n * sizeof *v);
  float *expected = check_buffer(c, n * sizeof *expected), *y = check_buffer(c, n * sizeof *y);
  for (size_t i = 0; i < n; i++) membranes[i] = constant(&p, BNN_LIF_INITIAL, i, 0.0f);
  for (int t = 0; t < STEPS; t++) {
    uint32_t *bits = (uint32_t *)(void *)expected;
    for (size_t i = 0; p.bits && i < p.pixels * words; i++) bits[i] = 0;
    for (size_t i = 0; i < n; i++) {
      x[i] = check_float(c);
      const float spiked = step(&p, i, x[i], &membranes[i]);
      const uint32_t channel = (uint32_t)(i % p.channels), bit = (spiked > 0.0f) == p.params.spike;
      if (p.bits) bits[i / p.channels * words + channel / 32] |= bit << channel % 32;
      if (!p.bits) expected[i] = spiked;
    }
    struct state state = {v, t == 0};
    const struct check_work work = {&plan, packed, x, y, &state};
    check_split(c, plan.units, run, &work);
    const bool right = p.bits ? check_equal_words(c, work.y, bits, p.pixels * words) : check_equal_floats(c, y, expected, n);
    if (!right || !check_equal_floats(c, v, membranes, n)) return false;
  }
  return true;
}
