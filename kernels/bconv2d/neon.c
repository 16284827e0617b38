/* SPDX-License-Identifier: Apache-2.0 */
/* aarch64: 8 channels x 4 pixels. For each pixel eight vectors of 128 products are counted byte by byte, folded by a tree
 * of pairwise adds until each channel has two bytes, and added to eight 16-bit sums: one EOR, one CNT and one reduction for
 * each vector, the least that these instructions allow. Plain intrinsics for a generic core: a schedule made for one core
 * gains nothing there and loses twofold on those that issue in order. */
#if defined(__aarch64__)
#include "bconv2d/kernel.h"

#include <arm_neon.h>
#include <math.h>

enum { MR = 8, KR = 4 };
#define INLINE static inline __attribute__((always_inline))

INLINE uint8x16_t differ(uint32x4_t x, const uint32_t *w) { return vcntq_u8(vreinterpretq_u8_u32(veorq_u32(x, vld1q_u32(w)))); }

/* Folds the counts of 128 products of each of 8 channels: byte 2c and 2c + 1 belong to channel c. */
INLINE uint8x16_t count128(uint32x4_t x, const uint32_t *w) {
  const uint8x16_t c01 = vpaddq_u8(differ(x, w), differ(x, w + 4)), c23 = vpaddq_u8(differ(x, w + 8), differ(x, w + 12));
  const uint8x16_t c45 = vpaddq_u8(differ(x, w + 16), differ(x, w + 20)), c67 = vpaddq_u8(differ(x, w + 24), differ(x, w + 28));
  return vpaddq_u8(vpaddq_u8(c01, c23), vpaddq_u8(c45, c67));
}

/* The same for 64 products: a vector holds those of two channels, so the tree has one level less. */
INLINE uint8x16_t count64(uint32x4_t x, const uint32_t *w) {
  const uint8x16_t c0123 = vpaddq_u8(differ(x, w), differ(x, w + 4)), c4567 = vpaddq_u8(differ(x, w + 8), differ(x, w + 12));
  return vpaddq_u8(c0123, c4567);
}

/* And for 32. */
INLINE uint8x16_t count32(uint32x4_t x, const uint32_t *w) { return vpaddq_u8(differ(x, w), differ(x, w + 4)); }

/* Four, two or one word of a patch, repeated to fill the vector. */
INLINE uint32x4_t words4(const char *x) { return vld1q_u32((const uint32_t *)(const void *)x); }
INLINE uint32x4_t words2(const char *x) {
  const uint64x1_t half = vreinterpret_u64_u32(vld1_u32((const uint32_t *)(const void *)x));
  return vreinterpretq_u32_u64(vdupq_lane_u64(half, 0));
}
INLINE uint32x4_t word1(const char *x) { return vld1q_dup_u32((const uint32_t *)(const void *)x); }

/* Sums of 8 channels that 16 bits do not hold. */
struct sums {
  uint32x4_t lo, hi;
};

enum { PAIRS = 255 }; /* of chunks that 16 bits hold: each adds at most 256 to a sum */

INLINE void widen(struct sums *total, uint16x8_t *sum) {
  *total = (struct sums){vaddw_u16(total->lo, vget_low_u16(*sum)), vaddw_high_u16(total->hi, *sum)};
  *sum = vdupq_n_u16(0);
}

/* Adds the popcounts of n pixels to `sum`; wide: empties it into `total` before it overflows, and at the end. */
INLINE void count(const struct bnn_bconv2d_tile *t, uint32_t first, const struct bnn_bconv2d_pass *pass, const int n,
                  const bool wide, uint16x8_t *sum, struct sums *total) {
  const uint32_t *w = bnn_bconv2d_weights_of(t, pass);
  const char *x = (const char *)t->x + (pass ? pass->x * t->x_step : 0), *next = x + KR * sizeof *w;
  size_t at[4];
  for (int p = 0; p < n; p++) at[p] = t->pixels[first + (uint32_t)p].patch;
  for (uint32_t left = t->run_words / (2 * KR), now; left; left -= now) {
    now = wide && left > PAIRS ? PAIRS : left;
    for (uint32_t i = now; i; i--, w += 2 * MR * KR, x += 32, next += 32) {
      for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count128(words4(x + at[p]), w));
      /* The second half's weights would not fit in registers beside those of the first; and two bases and four offsets
       * address the eight loads, where the compiler would keep eight sums of them. */
      __asm__ volatile("" : "+r"(x), "+r"(next) : : "memory");
      for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count128(words4(next + at[p]), w + MR * KR));
    }
    for (int p = 0; wide && p < n; p++) widen(&total[p], &sum[p]);
  }
  if (t->run_words & 4) {
    for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count128(words4(x + at[p]), w));
    w += MR * 4;
    x += 16;
  }
  if (t->run_words & 2) {
    for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count64(words2(x + at[p]), w));
    w += MR * 2;
    x += 8;
  }
  if (t->run_words & 1)
    for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count32(word1(x + at[p]), w));
  for (int p = 0; wide && p < n; p++) widen(&total[p], &sum[p]);
}

/* The sums of n pixels: narrow ones from `start` on, wide ones from zero, pass after pass. */
INLINE void count_all(const struct bnn_bconv2d_tile *t, uint32_t first, const int n, const bool wide, uint16x8_t *sum,
                      struct sums *total) {
  for (int p = 0; p < n; p++) {
    sum[p] = wide ? vdupq_n_u16(0) : vreinterpretq_u16_s16(vld1q_s16(bnn_bconv2d_start(t, first + (uint32_t)p)));
    if (wide) total[p] = (struct sums){vdupq_n_u32(0), vdupq_n_u32(0)};
  }
  if (!wide) count(t, first, NULL, n, false, sum, total);
  for (uint32_t i = 0; wide && i < t->pass_count; i++) {
    const int32x4_t shift = vdupq_n_s32((int32_t)t->passes[i].doubled);
    for (int p = 0; p < n; p++) total[p] = (struct sums){vshlq_u32(total[p].lo, shift), vshlq_u32(total[p].hi, shift)};
    count(t, first, &t->passes[i], n, true, sum, total);
  }
}

/* base - 2 * popcount of four channels. */
INLINE int32x4_t accumulated(const int32_t *base, uint32x4_t bits) {
  return vsubq_s32(vld1q_s32(base), vreinterpretq_s32_u32(vshlq_n_u32(bits, 1)));
}

/* The output transform of half a tile: four channels. */
struct transform {
  float32x4_t multiplier, bias, clamp_lo, clamp_hi, lo, hi;
};

INLINE struct transform load_transform(const struct bnn_bconv2d_tile *t, const int half, const bool bounded) {
  struct transform f = {.multiplier = vld1q_f32(t->multiplier + 4 * half), .bias = vld1q_f32(t->bias + 4 * half)};
  if (!bounded) return f;
  f.clamp_lo = t->clamp_lo ? vld1q_f32(t->clamp_lo + 4 * half) : vdupq_n_f32(-INFINITY);
  f.clamp_hi = t->clamp_hi ? vld1q_f32(t->clamp_hi + 4 * half) : vdupq_n_f32(INFINITY);
  f.lo = vdupq_n_f32(t->lo);
  f.hi = vdupq_n_f32(t->hi);
  return f;
}

INLINE float32x4_t apply(const struct transform *f, const bool bounded, float32x4_t value) {
  if (bounded) value = vminq_f32(vmaxq_f32(value, f->clamp_lo), f->clamp_hi);
  value = vaddq_f32(vmulq_f32(value, f->multiplier), f->bias);
  return bounded ? vminq_f32(vmaxq_f32(value, f->lo), f->hi) : value;
}

INLINE void tile_f32(const struct bnn_bconv2d_tile *t, uint32_t first, const int n, const bool wide, const bool bounded) {
  uint16x8_t sum[4];
  struct sums total[4];
  count_all(t, first, n, wide, sum, total);
  const struct transform f[2] = {load_transform(t, 0, bounded), load_transform(t, 1, bounded)};
  float32x4_t lo[4], hi[4]; /* all are computed before one is stored: a store could change what `f` was loaded from */
  for (int p = 0; p < n; p++) {
    const int16x8_t narrow = vreinterpretq_s16_u16(sum[p]);
    const int32_t *base = wide ? bnn_bconv2d_base(t, first + (uint32_t)p) : NULL;
    lo[p] = vcvtq_f32_s32(wide ? accumulated(base, total[p].lo) : vmovl_s16(vget_low_s16(narrow)));
    hi[p] = vcvtq_f32_s32(wide ? accumulated(base + 4, total[p].hi) : vmovl_high_s16(narrow));
    lo[p] = apply(&f[0], bounded, lo[p]);
    hi[p] = apply(&f[1], bounded, hi[p]);
  }
  unsigned char *y = t->y + first * t->y_step;
  for (int p = 0; p < n; p++, y += t->y_step) vst1q_f32_x2((float *)(void *)y, ((float32x4x2_t){{lo[p], hi[p]}}));
}

INLINE uint16x8_t at_limit(const int32_t *limit, const struct sums *total) {
  const uint32x4_t lo = vcgeq_u32(total->lo, vreinterpretq_u32_s32(vld1q_s32(limit)));
  const uint32x4_t hi = vcgeq_u32(total->hi, vreinterpretq_u32_s32(vld1q_s32(limit + 4)));
  return vuzp1q_u16(vreinterpretq_u16_u32(lo), vreinterpretq_u16_u32(hi));
}

INLINE void tile_bits(const struct bnn_bconv2d_tile *t, uint32_t first, const int n, const bool wide) {
  static const uint16_t powers[MR] = {1, 2, 4, 8, 16, 32, 64, 128};
  const uint16x8_t power = vld1q_u16(powers);
  uint16x8_t sum[4];
  struct sums total[4];
  uint8_t bits[4];
  count_all(t, first, n, wide, sum, total);
  for (int p = 0; p < n; p++) {
    const uint16x8_t reached = wide ? at_limit(bnn_bconv2d_base(t, first + (uint32_t)p), &total[p])
                                    : vcgezq_s16(vreinterpretq_s16_u16(sum[p]));
    bits[p] = (uint8_t)vaddvq_u16(vandq_u16(reached, power));
  }
  unsigned char *y = t->y + first * t->y_step;
  for (int p = 0; p < n; p++, y += t->y_step) *y = bits[p];
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const bool f32, const bool wide, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + 4 <= t.pixel_count; p += 4) f32 ? tile_f32(&t, p, 4, wide, bounded) : tile_bits(&t, p, 4, wide);
  for (; p < t.pixel_count; p++) f32 ? tile_f32(&t, p, 1, wide, bounded) : tile_bits(&t, p, 1, wide);
}

void bnn_bconv2d_8x4_neon(const struct bnn_bconv2d_tile *t) {
  const bool wide = !t->start, bounded = t->clamp_lo || t->lo > -INFINITY || t->hi < INFINITY;
  if (t->output == BNN_BCONV2D_BITS)
    wide ? band(t, false, true, false) : band(t, false, false, false);
  else if (wide)
    band(t, true, true, true);
  else
    bounded ? band(t, true, false, true) : band(t, true, false, false);
}

#else
typedef int bnn_bconv2d_neon_is_empty;
#endif
