/* SPDX-License-Identifier: Apache-2.0 */
/* The step in the words of base/simd/<isa>.h, which an ISA file includes before this. */
#include "lif/neuron.h"

/* decay * v + gain * x + offset, product and sum apart as everywhere. */
INLINE VEC integrated(const struct bnn_lif_row *row, size_t c, const bool leaks) {
  const VEC before = LOAD(row->v + c), x = LOAD(row->x + c);
  if (!leaks) return ADD(before, x);
  const VEC kept = MUL(LOAD(row->constant[BNN_LIF_DECAY] + c), before), come = MUL(LOAD(row->constant[BNN_LIF_GAIN] + c), x);
  return ADD(ADD(kept, come), LOAD(row->constant[BNN_LIF_OFFSET] + c));
}

INLINE MASK fires(VEC h, VEC limit, const bool strict) { return strict ? MORE(h, limit) : NOT_LESS(h, limit); }

/* For one combination of switches, which are constants where this is called: the loop has no branches left. */
INLINE void vectors(const struct bnn_lif_row *row, float *y, uint32_t *words, const bool bits, const bool leaks,
                    const bool strict, const uint32_t reset) {
  const VEC one = SET1(1.0f), none = SET1(0.0f);
  const uint32_t flip = row->params->spike ? 0 : ~0u;
  uint32_t word = 0;
  size_t c = 0;
  for (; c + LANES <= row->n; c += LANES) {
    const VEC limit = LOAD(row->constant[BNN_LIF_THRESHOLD] + c);
    VEC h = integrated(row, c, leaks);
    if (reset == BNN_RESET_SUBTRACT_LATER) h = SUB(h, CHOOSE(fires(LOAD(row->v + c), limit, strict), limit, none));
    const MASK fired = fires(h, limit, strict);
    if (reset == BNN_RESET_SUBTRACT) h = SUB(h, CHOOSE(fired, limit, none));
    if (reset == BNN_RESET_VALUE) h = CHOOSE(fired, LOAD(row->constant[BNN_LIF_RESET] + c), h);
    STORE(row->v + c, h);
    if (!bits) {
      STORE(y + c, CHOOSE(fired, one, none));
      continue;
    }
    word |= BITS(fired) << c % 32;
    if (c % 32 == 32 - LANES || c + LANES == row->n) {
      words[c / 32] = (word ^ flip) & ~0u >> (32 - LANES - c % 32);
      word = 0;
    }
  }
  neuron_steps(row, y, words, c, word);
}

INLINE void by_reset(const struct bnn_lif_row *row, float *y, uint32_t *words, const bool bits, const bool leaks,
                     const bool strict) {
  switch (row->params->reset) {
    case BNN_RESET_SUBTRACT: vectors(row, y, words, bits, leaks, strict, BNN_RESET_SUBTRACT); break;
    case BNN_RESET_SUBTRACT_LATER: vectors(row, y, words, bits, leaks, strict, BNN_RESET_SUBTRACT_LATER); break;
    default: vectors(row, y, words, bits, leaks, strict, BNN_RESET_VALUE);
  }
}

INLINE void by_leak(const struct bnn_lif_row *row, float *y, uint32_t *words, const bool bits, const bool strict) {
  row->leaks ? by_reset(row, y, words, bits, true, strict) : by_reset(row, y, words, bits, false, strict);
}

/* The membranes themselves are emitted. */
INLINE void membranes(const struct bnn_lif_row *row, float *y) {
  size_t c = 0;
  for (; c + LANES <= row->n; c += LANES) {
    const VEC h = integrated(row, c, true);
    STORE(row->v + c, h);
    STORE(y + c, h);
  }
  neuron_steps(row, y, NULL, c, 0);
}

INLINE void step(const struct bnn_lif_row *row, float *y, uint32_t *words) {
  const bool strict = row->params->strict;
  if (row->params->emit == BNN_EMIT_MEMBRANE) {
    membranes(row, y);
  } else if (row->params->emit == BNN_EMIT_COUNT) {
    neuron_steps(row, y, NULL, 0, 0); /* a division each, and rare */
  } else if (words != NULL) {
    strict ? by_leak(row, y, words, true, true) : by_leak(row, y, words, true, false);
  } else {
    strict ? by_leak(row, y, words, false, true) : by_leak(row, y, words, false, false);
  }
}
