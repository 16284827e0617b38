/* SPDX-License-Identifier: Apache-2.0 */
/* ARMv7 NEON: 8 channels x 2 pixels, four channels at a time. Sixteen vector registers and pairwise adds of eight bytes at
 * most rule the tree of neon.c out: here each of eight vectors of byte sums belongs to one channel and pixel, and they are
 * folded once a block. All sixteen registers are in use then, which compilers answer with spills: hence the assembly. */
#if defined(__arm__) && defined(__ARM_NEON)
#include <math.h>

#include "bconv2d/kernel.h"

#include <arm_neon.h>

enum {
  MR = 8,
  LANES = 4,
  BLOCK = 14, /* chunks of 128 products: with what is left of a run, byte sums of at most 120, of which two may be added */
};
#define INLINE static inline __attribute__((always_inline))

/* A chunk of four channels in q8-q11, of two pixels in q0 and q1. The products of pixel 0 come to q2 and q3, for two channels
 * at a time; a channel's own register becomes its product with pixel 1. */
#define LOAD_CHUNK              \
  "vldmia %[w]!, {d16-d23}\n"   \
  "vld1.32 {d0-d1}, [%[x0]]!\n" \
  "vld1.32 {d2-d3}, [%[x1]]!\n"
#define DIFFER(a, b) \
  "veor q2, q" #a ", q0\n veor q" #a ", q" #a ", q1\n veor q3, q" #b ", q0\n veor q" #b ", q" #b ", q1\n"
#define SET(sum, q) "vcnt.8 %q[" #sum "], q" #q "\n"
#define COUNT(q) "vcnt.8 q" #q ", q" #q "\n"
#define ADD(sum, q) "vadd.i8 %q[" #sum "], %q[" #sum "], q" #q "\n"
#define FIRST_CHUNK                                                                    \
  LOAD_CHUNK                                                                           \
  DIFFER(8, 9) SET(s00, 2) SET(s10, 8) SET(s01, 3) SET(s11, 9)                         \
  DIFFER(10, 11) SET(s02, 2) SET(s12, 10) SET(s03, 3) SET(s13, 11)
#define NEXT_CHUNK                                                                     \
  LOAD_CHUNK                                                                           \
  DIFFER(8, 9) COUNT(2) COUNT(8) COUNT(3) COUNT(9)                                     \
  ADD(s00, 2) ADD(s10, 8) ADD(s01, 3) ADD(s11, 9)                                      \
  DIFFER(10, 11) COUNT(2) COUNT(10) COUNT(3) COUNT(11)                                 \
  ADD(s02, 2) ADD(s12, 10) ADD(s03, 3) ADD(s13, 11)
#define SUMS(kind, s)                                                                                             \
  [s00] kind((s)[0][0]), [s01] kind((s)[0][1]), [s02] kind((s)[0][2]), [s03] kind((s)[0][3]), [s10] kind((s)[1][0]), \
      [s11] kind((s)[1][1]), [s12] kind((s)[1][2]), [s13] kind((s)[1][3])
#define POINTERS [w] "+r"(*w), [x0] "+r"(x[0]), [x1] "+r"(x[1])
#define CLOBBERS                                                                                                     \
  "memory", "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d16", "d17", "d18", "d19", "d20", "d21", "d22", "d23"

/* The byte sums of two pixels, four channels, over so many chunks. */
INLINE void count_chunks(const uint32_t *x[2], const uint32_t **w, uint32_t chunks, uint8x16_t sum[2][LANES]) {
  if (!chunks) {
    BNN_UNROLL
    for (int c = 0; c < LANES; c++) sum[0][c] = sum[1][c] = vdupq_n_u8(0);
    return;
  }
  __asm__ volatile(FIRST_CHUNK : SUMS("=&w", sum), POINTERS : : CLOBBERS);
  while (--chunks) __asm__ volatile(NEXT_CHUNK : SUMS("+w", sum), POINTERS : : CLOBBERS);
}

INLINE uint8x16_t differ(uint8x16_t x, const uint32_t *w) { return vcntq_u8(veorq_u8(x, vreinterpretq_u8_u32(vld1q_u32(w)))); }

/* Adds two words of four channels: a vector counts two channels. */
INLINE void count64(const uint32_t *x, const uint32_t *w, uint8x16_t sum[LANES]) {
  const uint8x8_t half = vreinterpret_u8_u32(vld1_u32(x));
  BNN_UNROLL
  for (int c = 0; c < LANES; c += 2) {
    const uint8x16_t both = differ(vcombine_u8(half, half), w + 2 * c);
    sum[c] = vcombine_u8(vadd_u8(vget_low_u8(sum[c]), vget_low_u8(both)), vget_high_u8(sum[c]));
    sum[c + 1] = vcombine_u8(vadd_u8(vget_low_u8(sum[c + 1]), vget_high_u8(both)), vget_high_u8(sum[c + 1]));
  }
}

/* The counts of one word of four channels. */
INLINE uint16x4_t count32(const uint32_t *x, const uint32_t *w) {
  const uint16x8_t pairs = vpaddlq_u8(differ(vreinterpretq_u8_u32(vld1q_dup_u32(x)), w));
  return vpadd_u16(vget_low_u16(pairs), vget_high_u16(pairs));
}

/* The sums of the 16 bytes of each of four channels. */
INLINE uint16x4_t fold(const uint8x16_t sum[LANES]) {
  uint8x8_t halves[LANES];
  BNN_UNROLL
  for (int c = 0; c < LANES; c++) halves[c] = vadd_u8(vget_low_u8(sum[c]), vget_high_u8(sum[c]));
  const uint16x8_t c01 = vpaddlq_u8(vcombine_u8(halves[0], halves[1])), c23 = vpaddlq_u8(vcombine_u8(halves[2], halves[3]));
  return vpadd_u16(vpadd_u16(vget_low_u16(c01), vget_high_u16(c01)), vpadd_u16(vget_low_u16(c23), vget_high_u16(c23)));
}

/* Counts of two pixels, four channels: blocks of chunks, what is left of the run with the last of them. 16 bits hold the
 * counts where the run is narrow; otherwise 32 bits do. */
struct counts {
  uint16x4_t narrow;
  uint32x4_t wide;
};

INLINE void count_block(const struct bnn_bconv2d_tile *t, const uint32_t *x[2], const uint32_t **w, uint32_t *left,
                        uint16x4_t count[2]) {
  uint8x16_t sum[2][LANES];
  const uint32_t now = *left < BLOCK ? *left : BLOCK;
  count_chunks(x, w, now, sum);
  *left -= now;
  if (!*left && t->run_words & 2) {
    count64(x[0], *w, sum[0]);
    count64(x[1], *w, sum[1]);
    x[0] += 2, x[1] += 2, *w += LANES * 2;
  }
  count[0] = fold(sum[0]);
  count[1] = fold(sum[1]);
}

INLINE void count(const struct bnn_bconv2d_tile *t, const uint32_t *x[2], const uint32_t *w, const bool narrow,
                  struct counts total[2]) {
  uint32_t left = t->run_words / 4;
  uint16x4_t count[2];
  count_block(t, x, &w, &left, count);
  for (int p = 0; p < 2; p++) total[p] = (struct counts){count[p], narrow ? total[p].wide : vaddw_u16(total[p].wide, count[p])};
  while (left) {
    count_block(t, x, &w, &left, count);
    for (int p = 0; p < 2; p++)
      total[p] = (struct counts){vadd_u16(total[p].narrow, count[p]), narrow ? total[p].wide : vaddw_u16(total[p].wide, count[p])};
  }
  if (!(t->run_words & 1)) return;
  for (int p = 0; p < 2; p++) {
    count[p] = count32(x[p], w);
    total[p] = (struct counts){vadd_u16(total[p].narrow, count[p]), narrow ? total[p].wide : vaddw_u16(total[p].wide, count[p])};
  }
}

/* Four of the tile's channels, from `first` on, of two pixels. */
INLINE void transform(const struct bnn_bconv2d_tile *t, const int first, const bool bounded, float32x4_t value[2]) {
  const float32x4_t multiplier = vld1q_f32(t->multiplier + first), bias = vld1q_f32(t->bias + first);
  BNN_UNROLL
  for (int p = 0; p < 2; p++) {
    if (bounded && t->clamp_lo) {
      value[p] = vmaxq_f32(value[p], vld1q_f32(t->clamp_lo + first));
      value[p] = vminq_f32(value[p], vld1q_f32(t->clamp_hi + first));
    }
    value[p] = vaddq_f32(vmulq_f32(value[p], multiplier), bias);
    if (bounded) value[p] = vminq_f32(vmaxq_f32(value[p], vdupq_n_f32(t->lo)), vdupq_n_f32(t->hi));
  }
}

/* The counts of a tile: of pixel 0 and pixel 1, each in two halves of four channels. */
struct tile_counts {
  struct counts of[2][2];
};

INLINE int16x8_t narrow_sum(const struct bnn_bconv2d_tile *t, uint32_t pixel, const struct counts of[2]) {
  return vaddq_s16(vld1q_s16(bnn_bconv2d_start(t, pixel)), vreinterpretq_s16_u16(vcombine_u16(of[0].narrow, of[1].narrow)));
}

/* base - 2 * popcount */
INLINE int32x4_t wide_sum(const int32_t *base, uint32x4_t counts) {
  return vsubq_s32(vld1q_s32(base), vreinterpretq_s32_u32(vshlq_n_u32(counts, 1)));
}

INLINE void write_floats(const struct bnn_bconv2d_tile *t, const uint32_t pixel[2], const bool narrow, const bool bounded,
                         const struct tile_counts *counts) {
  float32x4_t value[2][2]; /* by half, then pixel: all are computed before one is stored, which could change a table */
  BNN_UNROLL
  for (int p = 0; p < 2; p++) {
    const struct counts *of = counts->of[p];
    const int32_t *base = bnn_bconv2d_base(t, pixel[p]);
    const int16x8_t sum = narrow ? narrow_sum(t, pixel[p], of) : vdupq_n_s16(0);
    value[0][p] = vcvtq_f32_s32(narrow ? vmovl_s16(vget_low_s16(sum)) : wide_sum(base, of[0].wide));
    value[1][p] = vcvtq_f32_s32(narrow ? vmovl_s16(vget_high_s16(sum)) : wide_sum(base + LANES, of[1].wide));
  }
  transform(t, 0, bounded, value[0]);
  transform(t, LANES, bounded, value[1]);
  BNN_UNROLL
  for (int p = 0; p < 2; p++) {
    float *y = (float *)(void *)(t->y + pixel[p] * t->y_step);
    vst1q_f32(y, value[0][p]);
    vst1q_f32(y + LANES, value[1][p]);
  }
}

INLINE uint16x4_t at_limit(const int32_t *limit, uint32x4_t counts) {
  return vmovn_u32(vcgeq_u32(counts, vreinterpretq_u32_s32(vld1q_s32(limit))));
}

INLINE void write_bits(const struct bnn_bconv2d_tile *t, uint32_t pixel, const bool narrow, const struct counts of[2]) {
  static const uint16_t powers[MR] = {1, 2, 4, 8, 16, 32, 64, 128};
  const int32_t *limit = bnn_bconv2d_base(t, pixel);
  const uint16x8_t reached = narrow ? vcgeq_s16(narrow_sum(t, pixel, of), vdupq_n_s16(0))
                                    : vcombine_u16(at_limit(limit, of[0].wide), at_limit(limit + LANES, of[1].wide));
  const uint16x8_t bits = vandq_u16(reached, vld1q_u16(powers));
  const uint16x4_t fours = vpadd_u16(vget_low_u16(bits), vget_high_u16(bits)), pairs = vpadd_u16(fours, fours);
  t->y[pixel * t->y_step] = (unsigned char)vget_lane_u16(vpadd_u16(pairs, pairs), 0);
}

/* The second pixel may be the first again, where their number is odd. */
INLINE void pixels(const struct bnn_bconv2d_tile *t, uint32_t first, uint32_t second, const bool narrow, const bool f32,
                   const bool bounded) {
  const uint32_t pixel[2] = {first, second};
  struct tile_counts counts;
  BNN_UNROLL
  for (int half = 0; half < 2; half++) {
    struct counts total[2];
    total[0].wide = total[1].wide = vdupq_n_u32(0);
    for (uint32_t i = 0; i < (narrow ? 1 : t->pass_count); i++) {
      const struct bnn_bconv2d_pass *pass = narrow ? NULL : &t->passes[i];
      const uint32_t *x[2] = {bnn_bconv2d_patch(t, first, pass), bnn_bconv2d_patch(t, second, pass)};
      const int32x4_t shift = vdupq_n_s32(narrow ? 0 : (int32_t)pass->doubled);
      for (int p = 0; p < 2 && !narrow; p++) total[p].wide = vshlq_u32(total[p].wide, shift);
      count(t, x, bnn_bconv2d_weights_of(t, pass) + half * LANES * t->run_words, narrow, total);
    }
    counts.of[0][half] = total[0];
    counts.of[1][half] = total[1];
  }
  if (f32) {
    write_floats(t, pixel, narrow, bounded, &counts);
  } else {
    write_bits(t, first, narrow, counts.of[0]);
    write_bits(t, second, narrow, counts.of[1]);
  }
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const bool narrow, const bool f32, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + 2 <= t.pixel_count; p += 2) pixels(&t, p, p + 1, narrow, f32, bounded);
  if (p < t.pixel_count) pixels(&t, p, p, narrow, f32, bounded);
}

void bnn_bconv2d_8x2_neon32(const struct bnn_bconv2d_tile *t) {
  const bool bounded = t->clamp_lo || t->lo > -INFINITY || t->hi < INFINITY;
  if (t->output == BNN_BCONV2D_BITS)
    t->start ? band(t, true, false, false) : band(t, false, false, false);
  else if (!t->start)
    band(t, false, true, true);
  else
    bounded ? band(t, true, true, true) : band(t, true, true, false);
}

#else
typedef int bnn_bconv2d_neon32_is_empty;
#endif
