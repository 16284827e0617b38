/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver of int8 convolutions and the igemm kernels agree on. */
#ifndef BNN_IGEMM_KERNEL_H
#define BNN_IGEMM_KERNEL_H

#include "igemm/conv2d.h"

/* How a kernel wants codes: as they are; with 128 added, as uint8; widened to int16. Weights of the last are int16 too. */
enum bnn_igemm_form { BNN_IGEMM_S8, BNN_IGEMM_U8, BNN_IGEMM_S16 };

/* The work of one kernel call: mr output channels at every pixel of a band.
 *
 * A patch is `runs` runs of `run` codes, between_runs apart. `run` is a multiple of kr: what it has more than the filter
 * meets weights of zero. Weights are [runs][run / kr][mr][kr]; bias holds what zero points and the form of x come to. */
struct bnn_igemm_tile {
  const void *x;
  const uint32_t *patches; /* where each pixel's patch starts in x, in codes */
  uint32_t pixel_count;
  uint32_t runs, run, between_runs;
  const void *weights;
  const int32_t *bias, *mantissa, *left, *right; /* [mr]; left is NULL where no ratio is above 1 */
  int32_t y_zero, lo, hi;
  bool narrow; /* no weight is -128: two products of codes fit 16 bits */
  int8_t *y;   /* mr codes of each pixel are written, whether or not so many channels exist */
  size_t y_step;
};

typedef void bnn_igemm_tile_fn(const struct bnn_igemm_tile *tile);

struct bnn_igemm_kernel {
  struct bnn_kernel kernel;
  uint32_t mr, nr, kr; /* channels and pixels of a tile, codes of a channel that are multiplied at once */
  enum bnn_igemm_form form;
  bnn_igemm_tile_fn *run;
};

/* Codes behind the last one that a kernel may read. */
#define BNN_IGEMM_SLACK 16u

static inline size_t bnn_igemm_code_bytes(enum bnn_igemm_form form) { return form == BNN_IGEMM_S16 ? 2 : 1; }

/* Bytes of the rows of a band, laid out. */
size_t bnn_igemm_rows_bytes(const struct bnn_iconv2d_plan *plan);

/* Lays the rows of a band out in the kernel's form, in `copy` where they cannot stay in place; returns where the offsets
 * of patches count from. */
const void *bnn_igemm_lay_out(const struct bnn_iconv2d_plan *plan, const struct bnn_band *band, const int8_t *x, void *copy);

#define BNN_IGEMM(mr, nr, kr, form, isa, ISA, TUNING) bnn_igemm_tile_fn bnn_igemm_##mr##x##nr##_##isa;
#include "igemm/kernels.inc"
#undef BNN_IGEMM

#endif
