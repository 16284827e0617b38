/* SPDX-License-Identifier: Apache-2.0 */
/* What the bconv2d driver and its kernels agree on. */
#ifndef BNN_BCONV2D_KERNEL_H
#define BNN_BCONV2D_KERNEL_H

#include <math.h>

#include "bconv2d/bconv2d.h"

/* One output pixel of a band, in bytes: where its patch starts in x, where its row of `start` or `base` starts. */
struct bnn_bconv2d_pixel {
  uint32_t patch, row;
};

/* A pair of planes of x and w. */
struct bnn_bconv2d_pass {
  uint32_t x, w;
  uint32_t doubled; /* popcount so far counts twice: the pairs before were worth twice as much (Horner) */
};

/* The bits of the float 1.5 * 2^23, the last of which is worth 1: an integer below 2^22 that is added to them is added to the
 * float, and remains when 1.5 * 2^23 is taken away again. That is exact, and no slower than a conversion anywhere: Zen 4,
 * Neoverse N1 and Cortex-A76 begin only half as many conversions as additions. */
#define BNN_BCONV2D_ZERO 0x4B400000
static const float bnn_bconv2d_zero = 0x1.8p23f;

/* What the words of patches and weights are to a kernel.
 *
 * PARITY, where a window has three rows: of the words a, b, c of one column, c is replaced by a ^ b ^ c, in x and in w. The
 * differences d = x ^ w of the three follow: d_a, d_b and their parity s = d_a ^ d_b ^ d_c, for the XOR of parities is the
 * parity of XORs. A full adder's sum is s, and its carry, the majority, a function of d_a, d_b and s, so that
 *   popcount(d_a) + popcount(d_b) + popcount(d_c) = popcount(s) + 2 * popcount(majority(d_a, d_b, s)):
 * three XOR, one logic function of three inputs, two popcounts and two additions, eight operations for three words and not
 * nine. */
enum bnn_bconv2d_form {
  BNN_BCONV2D_WORDS,   /* themselves */
  BNN_BCONV2D_NIBBLES, /* each taken apart into two, its low and its high nibbles (see avx2.c) */
  BNN_BCONV2D_PARITY,  /* those of the third row replaced by the parity of all three; if there are not three, themselves */
};

/* The work of one kernel call: mr output channels at every pixel of a band.
 *
 * A patch is `words` words; popcount sums the bits of x ^ w over them. They are one run, or with BNN_BCONV2D_PARITY three.
 * Weights are packed for the inner loop: for
 * each `lanes` channels of the tile, chunks of kr words, [kr words of one channel][of the next] ...; what is left of the run
 * follows in chunks of kr / 2, kr / 4 ... words.
 *
 * Several planes take several passes: popcount = doubled ? 2 * popcount : popcount, then the pass adds its own, on the plane of
 * x that lies x_step bytes after the one before it, and of w, w_step words after.
 *
 * With acc = base - 2 * popcount, and rounding after the product and after the sum, so that every kernel and the NumPy
 * reference give the same float:
 *   f32 output:  y = clamp(clamp(acc, clamp_lo, clamp_hi) * multiplier + bias, lo, hi)
 *   bits output: bit = popcount >= (uint32_t)base, the limit below which acc is not under its threshold
 *
 * Where there is one pass, base is even and the kernel's sums are large enough (`start` is given, `base` is not), sums begin
 * at start instead of zero, an int16_t or int32_t as sum_bits says:
 *   f32 output:  sum = popcount - base / 2 = acc / -2. clamps and multiplier come scaled by -1/2 and -2, which is exact
 *                with sums of 32 bits, BNN_BCONV2D_ZERO more than that: the sum is then the bits of a float, see there
 *   bits output: sum = popcount - limit, bit = sum >= 0 */
struct bnn_bconv2d_tile {
  const uint32_t *x;
  const struct bnn_bconv2d_pixel *pixels;
  uint32_t pixel_count;
  uint32_t words;
  uint32_t row_step, parity_step; /* where a patch has three runs: words from the first to the others; else parity_step is 0 */
  const uint32_t *weights;
  const struct bnn_bconv2d_pass *passes;
  uint32_t pass_count;
  size_t x_step, w_step;
  const void *start;
  const int32_t *base;
  const float *multiplier, *bias, *clamp_lo, *clamp_hi; /* the clamps are NULL where there are none */
  float lo, hi;
  enum bnn_bconv2d_output output;
  unsigned char *y; /* mr floats or mr bits of each pixel are written, whether or not so many channels exist */
  size_t y_step;    /* bytes from pixel to pixel */
};

/* Where a pixel's patch begins, and the weights, in the planes of a pass; NULL stands for the only pass there is. */
static inline const uint32_t *bnn_bconv2d_patch(const struct bnn_bconv2d_tile *tile, const struct bnn_bconv2d_pixel *pixel,
                                                const struct bnn_bconv2d_pass *pass) {
  const size_t plane = pass ? pass->x * tile->x_step : 0;
  return (const uint32_t *)(const void *)((const char *)tile->x + plane + pixel->patch);
}

static inline const uint32_t *bnn_bconv2d_weights_of(const struct bnn_bconv2d_tile *tile, const struct bnn_bconv2d_pass *pass) {
  return tile->weights + (pass ? pass->w * tile->w_step : 0);
}

static inline const void *bnn_bconv2d_start(const struct bnn_bconv2d_tile *tile, const struct bnn_bconv2d_pixel *pixel) {
  return (const char *)tile->start + pixel->row;
}

static inline const int32_t *bnn_bconv2d_base(const struct bnn_bconv2d_tile *tile, const struct bnn_bconv2d_pixel *pixel) {
  return (const int32_t *)(const void *)((const char *)tile->base + pixel->row);
}

/* Calls band(..., narrow, f32, bounded) with constants for what is asked of the tile, so that each case is compiled for itself.
 * narrow: sums begin at `start`; bounded: values are clamped, as wide ones always are, to keep cases few. */
#define BNN_BCONV2D_SPECIALISE(tile, band, ...)                                             \
  do {                                                                                      \
    const bool bounds = (tile)->clamp_lo || (tile)->lo > -INFINITY || (tile)->hi < INFINITY; \
    if ((tile)->output == BNN_BCONV2D_BITS)                                                 \
      (tile)->start ? band(__VA_ARGS__, true, false, false) : band(__VA_ARGS__, false, false, false); \
    else if (!(tile)->start)                                                                \
      band(__VA_ARGS__, false, true, true);                                                 \
    else                                                                                    \
      bounds ? band(__VA_ARGS__, true, true, true) : band(__VA_ARGS__, true, true, false);  \
  } while (0)

typedef void bnn_bconv2d_tile_fn(const struct bnn_bconv2d_tile *tile);

struct bnn_bconv2d_kernel {
  struct bnn_kernel kernel;
  uint32_t mr, nr;     /* channels (a multiple of 8) and pixels of a tile */
  uint32_t lanes, kr;  /* channels and words (a power of 2) that the inner loop takes at once: how weights are packed */
  uint32_t sum_bits; /* of a narrow sum: 16 or 32 */
  enum bnn_bconv2d_form form;
  bnn_bconv2d_tile_fn *run;
};

/* The low (half 0) or the high nibbles of a word's bytes. */
static inline uint32_t bnn_bconv2d_nibbles(uint32_t word, size_t half) { return word >> (half ? 4 : 0) & 0x0F0F0F0Fu; }

#define BNN_BCONV2D(mr, nr, lanes, kr, form, sum_bits, isa, ISA, TUNING) bnn_bconv2d_tile_fn bnn_bconv2d_##mr##x##nr##_##isa;
#include "bconv2d/kernels.inc"
#undef BNN_BCONV2D

#endif
