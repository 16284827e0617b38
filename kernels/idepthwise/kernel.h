/* SPDX-License-Identifier: Apache-2.0 */
/* What the idepthwise driver and its kernels agree on. */
#ifndef BNN_IDEPTHWISE_KERNEL_H
#define BNN_IDEPTHWISE_KERNEL_H

#include "idepthwise/idepthwise.h"

/* Taps of the largest window; wider ones go to igemm. */
#define BNN_IDEPTHWISE_TAPS 64u
/* Neighbours in a row that share the loads of weights. */
#define BNN_IDEPTHWISE_PIXELS 4u

/* The work of one kernel call: every channel of a few pixels. Weights and constants are padded to whole blocks of channels. */
struct bnn_idepthwise_pixels {
  const int8_t *taps[BNN_IDEPTHWISE_PIXELS][BNN_IDEPTHWISE_TAPS]; /* channel 0 of what each tap reads */
  uint32_t pixel_count, tap_count, channels, padded;
  const int16_t *weights; /* [tap_count][padded] */
  const int32_t *bias, *mantissa, *left, *right; /* [padded]; left is NULL where no ratio is above 1 */
  int32_t y_zero, lo, hi;
  int8_t *y; /* [pixel_count][channels] */
};

/* One channel of one pixel, where those that are left fill no vector. */
static inline void bnn_idepthwise_channel(const struct bnn_idepthwise_pixels *p, uint32_t pixel, uint32_t c) {
  int32_t sum = p->bias[c];
  for (uint32_t tap = 0; tap < p->tap_count; tap++) sum += p->taps[pixel][tap][c] * p->weights[(size_t)tap * p->padded + c];
  p->y[(size_t)pixel * p->channels + c] = bnn_code(bnn_rescale(sum, p->mantissa[c], p->left ? p->left[c] : 0, p->right[c]), p->y_zero, p->lo, p->hi);
}

typedef void bnn_idepthwise_fn(const struct bnn_idepthwise_pixels *pixels);

struct bnn_idepthwise_kernel {
  struct bnn_kernel kernel;
  uint32_t mr; /* channels of a block */
  bnn_idepthwise_fn *run;
};

#define BNN_IDEPTHWISE(mr, nr, isa, ISA, TUNING) bnn_idepthwise_fn bnn_idepthwise_##mr##x##nr##_##isa;
#include "idepthwise/kernels.inc"
#undef BNN_IDEPTHWISE

#endif
