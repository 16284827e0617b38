/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/loops.h"

/* The constants, spread out so that no loop asks which of them a layer has: one value a channel, or one a neuron. */
enum { THRESHOLD, DECAY, GAIN, OFFSET, RESET, INITIAL, CONSTANTS };
static const float absent[CONSTANTS] = {INFINITY, 1.0f, 1.0f, 0.0f, 0.0f, 0.0f};

struct state {
  size_t pixels; /* after so many, the constants begin anew */
  const float *constant[CONSTANTS];
};

/* --- check -------------------------------------------------------------------------------------------------------- */

/* Rank and sizes of the input without its first axis. */
static bool is_a_step(const struct bnn_value *value, const struct bnn_value *x) {
  if (x->rank == 0 || value->rank != x->rank - 1) return false;
  return memcmp(value->shape, x->shape + 1, value->rank * sizeof *value->shape) == 0;
}

static enum bnn_status check_constants(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[0];
  for (uint32_t i = 1; i <= CONSTANTS; i++) {
    const struct bnn_value *value = bnn_input(call, i);
    if (value == NULL) continue;
    if (is_a_step(value, x)) {
      BNN_TRY(bnn_rule_constant(call, i, BNN_F32, error));
    } else {
      BNN_TRY(bnn_rule_per_channel(call, i, BNN_F32, bnn_value_channels(x), true, error));
    }
  }
  return BNN_E_OK;
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_lif_params *params = call->params;
  BNN_TRY(bnn_rule_input(call, 0, BNN_F32, error));
  BNN_TRY(check_constants(call, error));
  if (params->emit > BNN_EMIT_MEMBRANE || params->reset > BNN_RESET_VALUE || params->strict > 1 || params->spike > 1) {
    return bnn_broken(call, error, "emit, reset, strict or spike is out of range");
  }
  if ((params->emit == BNN_EMIT_MEMBRANE) != (bnn_input(call, 1) == NULL)) {
    return bnn_broken(call, error, "neurons without a threshold give their membrane, others spikes");
  }
  bool bits = call->output->dtype == BNN_BITS && params->emit == BNN_EMIT_SPIKE;
  BNN_TRY(bnn_rule_output(call, bits ? BNN_BITS : BNN_F32, error));
  return bnn_rule_same_shape(call, error);
}

/* --- plan --------------------------------------------------------------------------------------------------------- */

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  size_t channels = bnn_value_channels(call->output), period = channels;
  for (uint32_t i = 1; i <= CONSTANTS; i++) {
    const struct bnn_value *value = bnn_input(call, i);
    if (value != NULL && bnn_value_elements(value) > period) period = bnn_value_elements(value);
  }
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  float *spread = bnn_plan_keep(plan, CONSTANTS * period * sizeof *spread);
  if (state == NULL || spread == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  state->pixels = period / channels;
  for (uint32_t k = 0; k < CONSTANTS; k++, spread += period) {
    const struct bnn_value *value = bnn_input(call, k + 1);
    const float *given = value ? value->data : &absent[k];
    size_t count = value ? bnn_value_elements(value) : 1;
    for (size_t i = 0; i < period; i++) spread[i] = given[i % count];
    state->constant[k] = spread;
  }
  plan->units = bnn_value_pixels(call->output);
  plan->grain = bnn_grain(4 * channels);
  plan->in_place = call->output->dtype == BNN_F32;
  plan->memory_bytes = bnn_value_elements(call->output) * sizeof(float);
  return BNN_E_OK;
}

/* --- run ---------------------------------------------------------------------------------------------------------- */

/* A row of neurons before and after a step. */
struct row {
  const struct bnn_lif_params *params;
  const float *constant[CONSTANTS];
  const float *x;
  float *v; /* the membranes */
};

static inline float spikes(float h, float threshold, bool count, bool strict) {
  if (count) return h > 0.0f ? floorf(h / threshold) : 0.0f;
  return (strict ? h > threshold : h >= threshold) ? 1.0f : 0.0f;
}

/* The step for one combination of switches, which are constants where this is called: the loop has no branches left. */
static inline void step_as(const struct row *row, float *y, size_t n, bool count, bool strict, uint32_t reset) {
  const float *threshold = row->constant[THRESHOLD], *decay = row->constant[DECAY], *gain = row->constant[GAIN];
  const float *offset = row->constant[OFFSET], *to = row->constant[RESET], *x = row->x;
  float *v = row->v;
  BNN_EACH
  for (size_t c = 0; c < n; c++) {
    float h = decay[c] * v[c] + gain[c] * x[c] + offset[c];
    if (reset == BNN_RESET_SUBTRACT_LATER) h -= spikes(v[c], threshold[c], count, strict) * threshold[c];
    float spiked = spikes(h, threshold[c], count, strict);
    if (reset == BNN_RESET_SUBTRACT) {
      v[c] = h - spiked * threshold[c];
    } else if (reset == BNN_RESET_VALUE) {
      v[c] = spiked > 0.0f ? to[c] : h;
    } else {
      v[c] = h;
    }
    y[c] = spiked;
  }
}

static void integrate(const struct row *row, float *y, size_t n) {
  const float *decay = row->constant[DECAY], *gain = row->constant[GAIN], *offset = row->constant[OFFSET], *x = row->x;
  float *v = row->v;
  BNN_EACH
  for (size_t c = 0; c < n; c++) y[c] = v[c] = decay[c] * v[c] + gain[c] * x[c] + offset[c];
}

static void step(const struct row *row, float *y, size_t n) {
  bool strict = row->params->strict;
  if (row->params->emit == BNN_EMIT_MEMBRANE) {
    integrate(row, y, n);
  } else if (row->params->emit == BNN_EMIT_COUNT) {
    step_as(row, y, n, true, false, row->params->reset);
  } else if (row->params->reset == BNN_RESET_SUBTRACT) {
    step_as(row, y, n, false, strict, BNN_RESET_SUBTRACT);
  } else if (row->params->reset == BNN_RESET_SUBTRACT_LATER) {
    step_as(row, y, n, false, strict, BNN_RESET_SUBTRACT_LATER);
  } else {
    step_as(row, y, n, false, strict, BNN_RESET_VALUE);
  }
}

#define WORD 32

/* Bit i of spikes[i] > 0; an OR of masks, which compilers turn into vectors. */
static inline uint32_t word_of(const float *spikes, size_t n) {
  uint32_t word = 0;
  if (n == WORD) {
    for (uint32_t i = 0; i < WORD; i++) word |= (spikes[i] > 0.0f ? ~0u : 0u) & UINT32_C(1) << i;
  } else {
    for (uint32_t i = 0; i < n; i++) word |= (uint32_t)(spikes[i] > 0.0f) << i;
  }
  return word;
}

#define TILE (8 * WORD)

/* The step, and the spikes as bits: a tile of neurons at a time, whose spikes stay in the cache. */
static void step_to_bits(struct row row, uint32_t *y, size_t n) {
  float spiked[TILE];
  for (size_t c = 0; c < n; c += TILE) {
    size_t count = n - c < TILE ? n - c : TILE;
    step(&row, spiked, count);
    for (size_t at = 0; at < count; at += WORD) {
      size_t used = count - at < WORD ? count - at : WORD;
      uint32_t word = word_of(spiked + at, used), tail = used < WORD ? (UINT32_C(1) << used) - 1 : ~0u;
      y[(c + at) / WORD] = row.params->spike ? word : ~word & tail;
    }
    row.x += TILE;
    row.v += TILE;
    for (uint32_t k = 0; k < CONSTANTS; k++) row.constant[k] += TILE;
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  (void)thread;
  const struct state *state = plan->state;
  size_t channels = bnn_value_channels(call->output);
  uint32_t words = bnn_words((uint32_t)channels);
  for (size_t pixel = begin; pixel < end; pixel++) {
    struct row row = {.params = call->params,
                      .x = (const float *)call->inputs[0]->data + pixel * channels,
                      .v = (float *)(void *)plan->memory + pixel * channels};
    for (uint32_t k = 0; k < CONSTANTS; k++) {
      row.constant[k] = state->constant[k] + pixel % state->pixels * channels;
    }
    if (*plan->first_step) memcpy(row.v, row.constant[INITIAL], channels * sizeof *row.v);
    if (call->output->dtype == BNN_BITS) {
      step_to_bits(row, (uint32_t *)call->output->data + pixel * words, channels);
    } else {
      step(&row, (float *)call->output->data + pixel * channels, channels);
    }
  }
}

const struct bnn_op bnn_op_lif = {check, plan, run};
