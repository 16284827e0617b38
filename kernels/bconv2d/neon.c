/* SPDX-License-Identifier: Apache-2.0 */
/* aarch64: 8 channels x 4 pixels. For each pixel eight vectors of 128 products are counted byte by byte, folded by a tree
 * of pairwise adds until each channel has two bytes, and added to eight 16-bit sums: one EOR, one CNT and one reduction for
 * each vector, the least that these instructions allow. Plain intrinsics for a generic core: a schedule made for one core
 * gains nothing there and loses twofold on those that issue in order. */
#if defined(__aarch64__)
#include "bconv2d/kernel.h"

#include <arm_neon.h>

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
INLINE void count(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *pixel, const struct bnn_bconv2d_pass *pass,
                  const int n, const bool wide, uint16x8_t *sum, struct sums *total) {
  const uint32_t *w = bnn_bconv2d_weights_of(t, pass);
  const char *x = (const char *)t->x + (pass ? pass->x * t->x_step : 0), *next = x + KR * sizeof *w;
  size_t at[4];
  for (int p = 0; p < n; p++) at[p] = pixel[p].patch;
  for (uint32_t left = t->words / (2 * KR), now; left; left -= now) {
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
  if (t->words & 4) {
    for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count128(words4(x + at[p]), w));
    w += MR * 4;
    x += 16;
  }
  if (t->words & 2) {
    for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count64(words2(x + at[p]), w));
    w += MR * 2;
    x += 8;
  }
  if (t->words & 1)
    for (int p = 0; p < n; p++) sum[p] = vpadalq_u8(sum[p], count32(word1(x + at[p]), w));
  for (int p = 0; wide && p < n; p++) widen(&total[p], &sum[p]);
}

/* The sums of n pixels: narrow ones from `start` on, wide ones from zero, pass after pass. */
INLINE void count_all(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *pixel, const int n, const bool narrow,
                      uint16x8_t *sum, struct sums *total) {
  for (int p = 0; p < n; p++) {
    sum[p] = narrow ? vreinterpretq_u16_s16(vld1q_s16(bnn_bconv2d_start(t, &pixel[p]))) : vdupq_n_u16(0);
    if (!narrow) total[p] = (struct sums){vdupq_n_u32(0), vdupq_n_u32(0)};
  }
  if (narrow) count(t, pixel, NULL, n, false, sum, total);
  for (uint32_t i = 0; !narrow && i < t->pass_count; i++) {
    const int32x4_t shift = vdupq_n_s32((int32_t)t->passes[i].doubled);
    for (int p = 0; p < n; p++) total[p] = (struct sums){vshlq_u32(total[p].lo, shift), vshlq_u32(total[p].hi, shift)};
    count(t, pixel, &t->passes[i], n, true, sum, total);
  }
}

/* base - 2 * popcount of four channels. */
INLINE int32x4_t accumulated(const int32_t *base, uint32x4_t bits) {
  return vsubq_s32(vld1q_s32(base), vreinterpretq_s32_u32(vshlq_n_u32(bits, 1)));
}

/* The output transform of half a tile: four channels. */
struct transform {
  float32x4_t one, multiplier, bias, clamp_lo, clamp_hi, lo, hi;
};

INLINE struct transform load_transform(const struct bnn_bconv2d_tile *t, const int half, const bool bounded) {
  struct transform f = {.multiplier = vld1q_f32(t->multiplier + 4 * half), .bias = vld1q_f32(t->bias + 4 * half)};
  f.one = vdupq_n_f32(1.0f);
  __asm__("" : "+w"(f.one)); /* or the compiler sees that a multiplication by it is none */
  if (!bounded) return f;
  f.clamp_lo = t->clamp_lo ? vld1q_f32(t->clamp_lo + 4 * half) : vdupq_n_f32(-INFINITY);
  f.clamp_hi = t->clamp_hi ? vld1q_f32(t->clamp_hi + 4 * half) : vdupq_n_f32(INFINITY);
  f.lo = vdupq_n_f32(t->lo);
  f.hi = vdupq_n_f32(t->hi);
  return f;
}

/* A narrow sum as a float, by way of BNN_BCONV2D_ZERO. Here as in `apply` the addition is an FMA by 1, which rounds the same
 * and is one micro-operation on cores like Cortex-A57, where FADD of a vector takes two. */
INLINE float32x4_t from_sum(const struct transform *f, int16x4_t sum) {
  const float32x4_t zero = vdupq_n_f32(bnn_bconv2d_zero);
  return vfmsq_f32(vreinterpretq_f32_s32(vaddw_s16(vreinterpretq_s32_f32(zero), sum)), zero, f->one);
}

INLINE float32x4_t apply(const struct transform *f, const bool bounded, float32x4_t value) {
  if (bounded) value = vminq_f32(vmaxq_f32(value, f->clamp_lo), f->clamp_hi);
  value = vfmaq_f32(vmulq_f32(value, f->multiplier), f->bias, f->one);
  return bounded ? vminq_f32(vmaxq_f32(value, f->lo), f->hi) : value;
}

INLINE void tile_f32(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *pixel, unsigned char *y, const int n,
                     const bool narrow, const bool bounded) {
  uint16x8_t sum[4];
  struct sums total[4];
  count_all(t, pixel, n, narrow, sum, total);
  const struct transform f[2] = {load_transform(t, 0, bounded), load_transform(t, 1, bounded)};
  float32x4_t lo[4], hi[4]; /* all are computed before one is stored: a store could change what `f` was loaded from */
  for (int p = 0; p < n; p++) {
    const int16x8_t narrow_sum = vreinterpretq_s16_u16(sum[p]);
    const int32_t *base = narrow ? NULL : bnn_bconv2d_base(t, &pixel[p]);
    lo[p] = narrow ? from_sum(&f[0], vget_low_s16(narrow_sum)) : vcvtq_f32_s32(accumulated(base, total[p].lo));
    hi[p] = narrow ? from_sum(&f[1], vget_high_s16(narrow_sum)) : vcvtq_f32_s32(accumulated(base + 4, total[p].hi));
    lo[p] = apply(&f[0], bounded, lo[p]);
    hi[p] = apply(&f[1], bounded, hi[p]);
  }
  for (int p = 0; p < n; p++, y += t->y_step) vst1q_f32_x2((float *)(void *)y, ((float32x4x2_t){{lo[p], hi[p]}}));
}

INLINE uint16x8_t at_limit(const int32_t *limit, const struct sums *total) {
  const uint32x4_t lo = vcgeq_u32(total->lo, vreinterpretq_u32_s32(vld1q_s32(limit)));
  const uint32x4_t hi = vcgeq_u32(total->hi, vreinterpretq_u32_s32(vld1q_s32(limit + 4)));
  return vuzp1q_u16(vreinterpretq_u16_u32(lo), vreinterpretq_u16_u32(hi));
}

INLINE void tile_bits(const struct bnn_bconv2d_tile *t, const struct bnn_bconv2d_pixel *pixel, unsigned char *y, const int n,
                      const bool narrow) {
  static const uint16_t powers[MR] = {1, 2, 4, 8, 16, 32, 64, 128};
  const uint16x8_t power = vld1q_u16(powers);
  uint16x8_t sum[4];
  struct sums total[4];
  uint8_t bits[4];
  count_all(t, pixel, n, narrow, sum, total);
  for (int p = 0; p < n; p++) {
    const uint16x8_t reached =
        narrow ? vcgezq_s16(vreinterpretq_s16_u16(sum[p])) : at_limit(bnn_bconv2d_base(t, &pixel[p]), &total[p]);
    bits[p] = (uint8_t)vaddvq_u16(vandq_u16(reached, power));
  }
  for (int p = 0; p < n; p++, y += t->y_step) *y = bits[p];
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const bool narrow, const bool f32, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  const struct bnn_bconv2d_pixel *pixel = t.pixels;
  unsigned char *y = t.y;
  uint32_t left = t.pixel_count;
  for (; left >= 4; left -= 4, pixel += 4, y += 4 * t.y_step)
    f32 ? tile_f32(&t, pixel, y, 4, narrow, bounded) : tile_bits(&t, pixel, y, 4, narrow);
  for (; left; left--, pixel++, y += t.y_step)
    f32 ? tile_f32(&t, pixel, y, 1, narrow, bounded) : tile_bits(&t, pixel, y, 1, narrow);
}

void bnn_bconv2d_8x4_neon(const struct bnn_bconv2d_tile *t) { BNN_BCONV2D_SPECIALISE(t, band, t); }

#else
typedef int bnn_bconv2d_neon_is_empty;
#endif
