/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2: 16 channels x 4 pixels, a lane a channel. There is no vector popcount: PSHUFB looks up the count of a nibble. The
 * nibbles of words are taken apart beforehand (bnn_bconv2d_nibbles), once for all channels and taps, since XOR works on
 * nibbles as well as on words: six instructions remain for 256 products (two each of XOR, PSHUFB and ADD) where taking the
 * nibbles of each product apart would make it eight. */
#if defined(__x86_64__)
#include "bconv2d/kernel.h"

#include <immintrin.h>

enum {
  LANES = 8,
  VECTORS = 2,
  MR = LANES * VECTORS,
  BYTE_WORDS = 31, /* that a sum of bytes holds: each adds at most 8 */
};
#define TARGET BNN_TARGET_AVX2
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE __m256i lookup(__m256i table, int word, const uint32_t *w) {
  return _mm256_shuffle_epi8(table, _mm256_xor_si256(_mm256_set1_epi32(word), _mm256_loadu_si256((const void *)w)));
}

/* Adds to each 32-bit sum the four bytes of its lane. */
INLINE __m256i widen(__m256i sum, __m256i bytes) {
  const __m256i pairs = _mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* Words are pairs here: low nibbles, high nibbles. */
INLINE void count(const struct bnn_bconv2d_tile *t, uint32_t first, const struct bnn_bconv2d_pass *pass, const int n,
                  __m256i sum[4][VECTORS]) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const uint32_t *w = bnn_bconv2d_weights_of(t, pass), *x[4];
  for (int p = 0; p < n; p++) x[p] = bnn_bconv2d_patch(t, &t->pixels[first + (uint32_t)p], pass);
  for (uint32_t left = t->words / 2, now; left; left -= now) {
    __m256i bytes[4][VECTORS];
    for (int p = 0; p < n; p++)
      for (int v = 0; v < VECTORS; v++) bytes[p][v] = _mm256_setzero_si256();
    now = left < BYTE_WORDS ? left : BYTE_WORDS;
    for (uint32_t i = now; i; i--, w += 2 * MR)
      for (int p = 0; p < n; p++, x[p - 1] += 2)
        for (int v = 0; v < VECTORS; v++) {
          bytes[p][v] = _mm256_add_epi8(bytes[p][v], lookup(table, (int)x[p][0], w + v * LANES));
          bytes[p][v] = _mm256_add_epi8(bytes[p][v], lookup(table, (int)x[p][1], w + MR + v * LANES));
        }
    for (int p = 0; p < n; p++)
      for (int v = 0; v < VECTORS; v++) sum[p][v] = widen(sum[p][v], bytes[p][v]);
  }
}

INLINE __m256 transform(const struct bnn_bconv2d_tile *t, const int v, const bool bounded, __m256 value) {
  if (bounded && t->clamp_lo) {
    value = _mm256_max_ps(value, _mm256_loadu_ps(t->clamp_lo + v * LANES));
    value = _mm256_min_ps(value, _mm256_loadu_ps(t->clamp_hi + v * LANES));
  }
  value = _mm256_mul_ps(value, _mm256_loadu_ps(t->multiplier + v * LANES));
  value = _mm256_add_ps(value, _mm256_loadu_ps(t->bias + v * LANES));
  if (!bounded) return value;
  return _mm256_min_ps(_mm256_max_ps(value, _mm256_set1_ps(t->lo)), _mm256_set1_ps(t->hi));
}

/* A bit for each lane whose sum has reached its limit, both unsigned. */
INLINE unsigned char reached(__m256i sum, __m256i limit) {
  const __m256i at = _mm256_cmpeq_epi32(_mm256_max_epu32(sum, limit), sum);
  return (unsigned char)_mm256_movemask_ps(_mm256_castsi256_ps(at));
}

INLINE void write(const struct bnn_bconv2d_tile *t, uint32_t pixel, const bool narrow, const bool f32, const bool bounded,
                  const __m256i sum[VECTORS]) {
  unsigned char *y = t->y + pixel * t->y_step;
  for (int v = 0; v < VECTORS; v++) {
    const __m256i base =
        narrow ? _mm256_setzero_si256() : _mm256_loadu_si256((const void *)(bnn_bconv2d_base(t, &t->pixels[pixel]) + v * LANES));
    if (f32) {
      const __m256 value = narrow ? _mm256_sub_ps(_mm256_castsi256_ps(sum[v]), _mm256_set1_ps(bnn_bconv2d_zero))
                                  : _mm256_cvtepi32_ps(_mm256_sub_epi32(base, _mm256_slli_epi32(sum[v], 1)));
      _mm256_storeu_ps((float *)(void *)y + v * LANES, transform(t, v, bounded, value));
    } else if (narrow) {
      y[v] = (unsigned char)~_mm256_movemask_ps(_mm256_castsi256_ps(sum[v]));
    } else {
      y[v] = reached(sum[v], base);
    }
  }
}

INLINE void pixels(const struct bnn_bconv2d_tile *t, uint32_t first, const int n, const bool narrow, const bool f32,
                   const bool bounded) {
  __m256i sum[4][VECTORS];
  for (int p = 0; p < n; p++)
    for (int v = 0; v < VECTORS; v++) {
      const int32_t *start = narrow ? bnn_bconv2d_start(t, &t->pixels[first + (uint32_t)p]) : NULL;
      sum[p][v] = narrow ? _mm256_loadu_si256((const void *)(start + v * LANES)) : _mm256_setzero_si256();
    }
  if (narrow) count(t, first, NULL, n, sum);
  for (uint32_t i = 0; !narrow && i < t->pass_count; i++) {
    for (int p = 0; p < n; p++)
      for (int v = 0; v < VECTORS; v++) sum[p][v] = _mm256_sll_epi32(sum[p][v], _mm_cvtsi32_si128((int)t->passes[i].doubled));
    count(t, first, &t->passes[i], n, sum);
  }
  for (int p = 0; p < n; p++) write(t, first + (uint32_t)p, narrow, f32, bounded, sum[p]);
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const bool narrow, const bool f32, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + 4 <= t.pixel_count; p += 4) pixels(&t, p, 4, narrow, f32, bounded);
  for (; p < t.pixel_count; p++) pixels(&t, p, 1, narrow, f32, bounded);
}

TARGET void bnn_bconv2d_16x4_avx2(const struct bnn_bconv2d_tile *t) { BNN_BCONV2D_SPECIALISE(t, band, t); }

#else
typedef int bnn_bconv2d_avx2_is_empty;
#endif
