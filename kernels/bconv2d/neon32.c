/* SPDX-License-Identifier: Apache-2.0 */
/* ARMv7 NEON: 16 channels x 2 pixels, a lane of 32 bits a channel. A word of each patch is repeated in all lanes; bits are
 * counted byte by byte, and the four bytes of a lane are added up once a block. So nothing is summed across lanes, which
 * takes pairwise adds of eight bytes here, and any number of words is a whole number of steps. A step has all sixteen vector
 * registers in use, which compilers answer with spills: hence the assembly. */
#if defined(__arm__) && defined(__ARM_NEON)
#include <string.h>

#include "bconv2d/kernel.h"

#include <arm_neon.h>

enum {
  LANES = 4,
  VECTORS = 4,
  MR = LANES * VECTORS,
  NR = 2,
  BLOCK = 31, /* words that a sum of bytes holds: each adds at most 8 */
};
#define INLINE static inline __attribute__((always_inline))

/* A step: a word of 16 channels in q8-q11, of two pixels in q0 and q1. The products of pixel 0 come to q2 and q3, for two
 * vectors at a time; a vector's own register becomes its product with pixel 1. */
#define LOAD                          \
  "vldmia %[w]!, {d16-d23}\n"         \
  "vld1.32 {d0[], d1[]}, [%[x0]]!\n" \
  "vld1.32 {d2[], d3[]}, [%[x1]]!\n"
#define DIFFER(a, b) \
  "veor q2, q" #a ", q0\n veor q" #a ", q" #a ", q1\n veor q3, q" #b ", q0\n veor q" #b ", q" #b ", q1\n"
#define SET(sum, q) "vcnt.8 %q[" #sum "], q" #q "\n"
#define COUNT(q) "vcnt.8 q" #q ", q" #q "\n"
#define ADD(sum, q) "vadd.i8 %q[" #sum "], %q[" #sum "], q" #q "\n"
#define FIRST_STEP                                             \
  LOAD                                                         \
  DIFFER(8, 9) SET(s00, 2) SET(s10, 8) SET(s01, 3) SET(s11, 9) \
  DIFFER(10, 11) SET(s02, 2) SET(s12, 10) SET(s03, 3) SET(s13, 11)
#define NEXT_STEP                                     \
  LOAD                                                \
  DIFFER(8, 9) COUNT(2) COUNT(8) COUNT(3) COUNT(9)    \
  ADD(s00, 2) ADD(s10, 8) ADD(s01, 3) ADD(s11, 9)     \
  DIFFER(10, 11) COUNT(2) COUNT(10) COUNT(3) COUNT(11) \
  ADD(s02, 2) ADD(s12, 10) ADD(s03, 3) ADD(s13, 11)
#define SUMS(kind, s)                                                                                             \
  [s00] kind((s)[0][0]), [s01] kind((s)[0][1]), [s02] kind((s)[0][2]), [s03] kind((s)[0][3]), [s10] kind((s)[1][0]), \
      [s11] kind((s)[1][1]), [s12] kind((s)[1][2]), [s13] kind((s)[1][3])
#define POINTERS [w] "+r"(*w), [x0] "+r"(x[0]), [x1] "+r"(x[1])
#define CLOBBERS                                                                                                     \
  "memory", "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d16", "d17", "d18", "d19", "d20", "d21", "d22", "d23"

/* The byte sums of `words` words, at least one and at most BLOCK. */
INLINE void count_words(const uint32_t *x[NR], const uint32_t **w, uint32_t words, uint8x16_t sum[NR][VECTORS]) {
  __asm__ volatile(FIRST_STEP : SUMS("=&w", sum), POINTERS : : CLOBBERS);
  if (!(words & 1)) __asm__ volatile(NEXT_STEP : SUMS("+w", sum), POINTERS : : CLOBBERS);
  for (words = (words - 1) / 2; words; words--)
    __asm__ volatile(NEXT_STEP NEXT_STEP : SUMS("+w", sum), POINTERS : : CLOBBERS);
}

typedef uint32x4_t counts[NR][VECTORS];

/* Counts a block of what is left of the run, and adds its popcounts to `total` or, where that is fresh, sets it. */
INLINE void count_block(const uint32_t *x[NR], const uint32_t **w, uint32_t *left, const bool fresh, counts total) {
  const uint32_t words = *left < BLOCK ? *left : BLOCK;
  uint8x16_t sum[NR][VECTORS];
  count_words(x, w, words, sum);
  *left -= words;
  BNN_UNROLL
  for (int i = 0; i < NR * VECTORS; i++) {
    const uint16x8_t pairs = vpaddlq_u8(sum[i / VECTORS][i % VECTORS]);
    uint32x4_t *to = &total[i / VECTORS][i % VECTORS];
    *to = fresh ? vpaddlq_u16(pairs) : vpadalq_u16(*to, pairs);
  }
}

/* A pass over the patches of two pixels. */
INLINE void count(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *const pixel[NR],
                  const struct bnn_bconv2d_pass *pass, const bool fresh, counts total) {
  const uint32_t *x[NR] = {bnn_bconv2d_patch(t, pixel[0], pass), bnn_bconv2d_patch(t, pixel[1], pass)};
  const uint32_t *w = bnn_bconv2d_weights_of(t, pass);
  uint32_t left = t->words;
  for (int i = 0; !fresh && i < NR * VECTORS; i++) {
    uint32x4_t *to = &total[i / VECTORS][i % VECTORS];
    *to = vshlq_u32(*to, vdupq_n_s32((int32_t)pass->doubled));
  }
  if (fresh) count_block(x, &w, &left, true, total);
  while (left) count_block(x, &w, &left, false, total);
}

/* Vector v of a pixel's sums: what popcounts make of `start`, or base - 2 * popcount. */
INLINE int32x4_t sum_of(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *pixel, const int v,
                        const bool narrow, uint32x4_t total) {
  if (narrow) {
    const int32_t *start = bnn_bconv2d_start(t, pixel);
    return vaddq_s32(vld1q_s32(start + v * LANES), vreinterpretq_s32_u32(total));
  }
  return vsubq_s32(vld1q_s32(bnn_bconv2d_base(t, pixel) + v * LANES), vreinterpretq_s32_u32(vshlq_n_u32(total, 1)));
}

INLINE float32x4_t transform(const struct bnn_bconv2d_tile *t, const int v, const bool narrow, const bool bounded,
                             int32x4_t sum) {
  float32x4_t value =
      narrow ? vsubq_f32(vreinterpretq_f32_s32(sum), vdupq_n_f32(bnn_bconv2d_zero)) : vcvtq_f32_s32(sum);
  if (bounded && t->clamp_lo)
    value = vminq_f32(vmaxq_f32(value, vld1q_f32(t->clamp_lo + v * LANES)), vld1q_f32(t->clamp_hi + v * LANES));
  value = vaddq_f32(vmulq_f32(value, vld1q_f32(t->multiplier + v * LANES)), vld1q_f32(t->bias + v * LANES));
  return bounded ? vminq_f32(vmaxq_f32(value, vdupq_n_f32(t->lo)), vdupq_n_f32(t->hi)) : value;
}

/* All values are computed before one is stored, which could change a table. */
INLINE void write_floats(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *const pixel[NR],
                         unsigned char *const y[NR], const bool narrow, const bool bounded, counts total) {
  float32x4_t value[NR][VECTORS];
  BNN_UNROLL
  for (int v = 0; v < VECTORS; v++) {
    BNN_UNROLL
    for (int p = 0; p < NR; p++) value[p][v] = transform(t, v, narrow, bounded, sum_of(t, pixel[p], v, narrow, total[p][v]));
  }
  BNN_UNROLL
  for (int p = 0; p < NR; p++) {
    BNN_UNROLL
    for (int v = 0; v < VECTORS; v++) vst1q_f32((float *)(void *)y[p] + v * LANES, value[p][v]);
  }
}

/* Ones in the lanes of four channels that give a bit. */
INLINE uint16x4_t reached(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *pixel, const int v,
                          const bool narrow, uint32x4_t total) {
  if (narrow) return vmovn_u32(vcgeq_s32(sum_of(t, pixel, v, true, total), vdupq_n_s32(0)));
  return vmovn_u32(vcgeq_u32(total, vreinterpretq_u32_s32(vld1q_s32(bnn_bconv2d_base(t, pixel) + v * LANES))));
}

INLINE void write_bits(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *pixel, unsigned char *y,
                       const bool narrow, const uint32x4_t total[VECTORS]) {
  static const uint8_t powers[] = {1, 2, 4, 8, 16, 32, 64, 128};
  uint8x8_t bits[VECTORS / 2];
  BNN_UNROLL
  for (int i = 0; i < VECTORS / 2; i++) {
    const uint16x4_t lo = reached(t, pixel, 2 * i, narrow, total[2 * i]);
    const uint16x4_t hi = reached(t, pixel, 2 * i + 1, narrow, total[2 * i + 1]);
    bits[i] = vand_u8(vmovn_u16(vcombine_u16(lo, hi)), vld1_u8(powers));
  }
  const uint8x8_t fours = vpadd_u8(bits[0], bits[1]), pairs = vpadd_u8(fours, fours);
  const uint16_t word = vget_lane_u16(vreinterpret_u16_u8(vpadd_u8(pairs, pairs)), 0);
  memcpy(y, &word, sizeof word); /* a group may begin at any byte */
}

INLINE void pixels(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *const pixel[NR],
                   unsigned char *const y[NR], const bool narrow, const bool f32, const bool bounded) {
  counts total;
  count(t, pixel, narrow ? NULL : t->passes, true, total);
  for (uint32_t i = 1; !narrow && i < t->pass_count; i++) count(t, pixel, &t->passes[i], false, total);
  if (f32) {
    write_floats(t, pixel, y, narrow, bounded, total);
  } else {
    write_bits(t, pixel[0], y[0], narrow, total[0]);
    write_bits(t, pixel[1], y[1], narrow, total[1]);
  }
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const bool narrow, const bool f32, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  unsigned char *y = t.y;
  for (uint32_t p = 0; p < t.pixel_count; p += NR, y += NR * t.y_step) {
    const uint32_t second = p + 1 < t.pixel_count; /* or the last pixel is computed twice */
    const struct bnn_bconv2d_pixel *const pixel[NR] = {&t.pixels[p], &t.pixels[p + second]};
    unsigned char *const place[NR] = {y, y + second * t.y_step};
    pixels(&t, pixel, place, narrow, f32, bounded);
  }
}

void bnn_bconv2d_16x2_neon32(const struct bnn_bconv2d_tile *t) { BNN_BCONV2D_SPECIALISE(t, band, t); }

#else
typedef int bnn_bconv2d_neon32_is_empty;
#endif
