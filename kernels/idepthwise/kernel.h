/* SPDX-License-Identifier: Apache-2.0 */
/* What the idepthwise driver and its kernels agree on. */
#ifndef BNN_IDEPTHWISE_KERNEL_H
#define BNN_IDEPTHWISE_KERNEL_H

#include "idepthwise/idepthwise.h"

/* Taps of the largest window; wider ones go to igemm. */
#define BNN_IDEPTHWISE_TAPS 64u

/* The work of one kernel call: every channel of one pixel. Weights and constants are padded to whole blocks of channels. */
struct bnn_idepthwise_pixel {
  const int8_t *taps[BNN_IDEPTHWISE_TAPS]; /* channel 0 of what each tap reads */
  uint32_t tap_count, channels, padded;
  const int16_t *weights; /* [tap_count][padded] */
  const int32_t *bias, *mantissa, *left, *right; /* [padded]; left is NULL where no ratio is above 1 */
  int32_t y_zero, lo, hi;
  int8_t *y;
};

/* One channel, where those that are left fill no vector. */
static inline void bnn_idepthwise_channel(const struct bnn_idepthwise_pixel *p, uint32_t c) {
  int32_t sum = p->bias[c];
  for (uint32_t tap = 0; tap < p->tap_count; tap++) sum += p->taps[tap][c] * p->weights[(size_t)tap * p->padded + c];
  p->y[c] = bnn_code(bnn_rescale(sum, p->mantissa[c], p->left ? p->left[c] : 0, p->right[c]), p->y_zero, p->lo, p->hi);
}

typedef void bnn_idepthwise_fn(const struct bnn_idepthwise_pixel *pixel);

struct bnn_idepthwise_kernel {
  struct bnn_kernel kernel;
  uint32_t mr; /* channels of a block */
  bnn_idepthwise_fn *run;
};

#define BNN_IDEPTHWISE(mr, nr, isa, ISA, TUNING) bnn_idepthwise_fn bnn_idepthwise_##mr##x##nr##_##isa;
#include "idepthwise/kernels.inc"
#undef BNN_IDEPTHWISE

#endif
