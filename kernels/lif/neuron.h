/* SPDX-License-Identifier: Apache-2.0 */
/* One neuron at a time: all there is to the scalar kernel, and what fills no vector in the others. */
#ifndef BNN_LIF_NEURON_H
#define BNN_LIF_NEURON_H

#include <math.h>

#include "lif/kernel.h"

#ifndef TARGET
#define TARGET
#endif
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE float neuron_spikes(const struct bnn_lif_params *params, float h, float threshold) {
  if (params->emit == BNN_EMIT_COUNT) return h > 0.0f ? floorf(h / threshold) : 0.0f;
  return (params->strict ? h > threshold : h >= threshold) ? 1.0f : 0.0f;
}

/* Neuron c of a row; returns what it emits. */
INLINE float neuron_step(const struct bnn_lif_row *row, const struct bnn_lif_params *params, size_t c) {
  const float threshold = row->constant[BNN_LIF_THRESHOLD][c], before = row->v[c];
  float h = row->constant[BNN_LIF_DECAY][c] * before + row->constant[BNN_LIF_GAIN][c] * row->x[c];
  h += row->constant[BNN_LIF_OFFSET][c];
  if (params->emit == BNN_EMIT_MEMBRANE) return row->v[c] = h;
  if (params->reset == BNN_RESET_SUBTRACT_LATER) h -= neuron_spikes(params, before, threshold) * threshold;
  const float spiked = neuron_spikes(params, h, threshold);
  row->v[c] = h;
  if (params->reset == BNN_RESET_SUBTRACT) row->v[c] = h - spiked * threshold;
  if (params->reset == BNN_RESET_VALUE && spiked > 0.0f) row->v[c] = row->constant[BNN_LIF_RESET][c];
  return spiked;
}

/* The neurons from c on; `word` has the bits of those before c that stand in its word. */
INLINE void neuron_steps(const struct bnn_lif_row *given, float *y, uint32_t *words, size_t c, uint32_t word) {
  const struct bnn_lif_row own = *given, *row = &own; /* copies, which no store can change */
  const struct bnn_lif_params params = *row->params;
  for (; c < row->n; c++) {
    const float spiked = neuron_step(row, &params, c);
    if (words == NULL) {
      y[c] = spiked;
      continue;
    }
    word |= (uint32_t)(spiked > 0.0f) << c % 32;
    if (c % 32 < 31 && c + 1 < row->n) continue;
    words[c / 32] = params.spike ? word : ~word & (~0u >> (31 - c % 32));
    word = 0;
  }
}

#endif
