/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 with VPOPCNTDQ: 64 channels x 4 pixels. A lane is a channel, so nothing is ever summed across lanes: a word of the
 * patch is broadcast, and each 512 products take one XOR, one VPOPCNTD and one ADD. */
#if defined(__x86_64__)
#include "bconv2d/kernel.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = 16 };
#define TARGET BNN_TARGET_AVX512
#define INLINE TARGET static inline __attribute__((always_inline))

/* vectors of channels, at most 4; n pixels, at most 8 */
INLINE void count(const struct bnn_bconv2d_tile *t, uint32_t first, const struct bnn_bconv2d_pass *pass, const int vectors,
                  const int n, __m512i sum[8][4]) {
  const uint32_t *w = bnn_bconv2d_weights_of(t, pass), *x[8];
  for (int p = 0; p < n; p++) x[p] = bnn_bconv2d_patch(t, &t->pixels[first + (uint32_t)p], pass);
  for (uint32_t i = 0; i < t->run_words; i++, w += vectors * LANES) {
    __m512i weight[4];
    for (int v = 0; v < vectors; v++) weight[v] = _mm512_loadu_si512(w + v * LANES);
    for (int p = 0; p < n; p++) {
      const __m512i word = _mm512_set1_epi32((int)x[p][i]);
      for (int v = 0; v < vectors; v++)
        sum[p][v] = _mm512_add_epi32(sum[p][v], _mm512_popcnt_epi32(_mm512_xor_si512(word, weight[v])));
    }
  }
}

INLINE __m512 transform(const struct bnn_bconv2d_tile *t, const int v, const bool bounded, __m512i sum) {
  __m512 value = _mm512_cvtepi32_ps(sum);
  if (bounded && t->clamp_lo) {
    value = _mm512_max_ps(value, _mm512_loadu_ps(t->clamp_lo + v * LANES));
    value = _mm512_min_ps(value, _mm512_loadu_ps(t->clamp_hi + v * LANES));
  }
  value = _mm512_mul_ps(value, _mm512_loadu_ps(t->multiplier + v * LANES));
  value = _mm512_add_ps(value, _mm512_loadu_ps(t->bias + v * LANES));
  if (!bounded) return value;
  return _mm512_min_ps(_mm512_max_ps(value, _mm512_set1_ps(t->lo)), _mm512_set1_ps(t->hi));
}

INLINE void write(const struct bnn_bconv2d_tile *t, uint32_t pixel, const int vectors, const bool narrow, const bool f32,
                  const bool bounded, const __m512i sum[4]) {
  unsigned char *y = t->y + pixel * t->y_step;
  for (int v = 0; v < vectors; v++) {
    const __m512i base = narrow ? _mm512_setzero_si512() : _mm512_loadu_si512(bnn_bconv2d_base(t, &t->pixels[pixel]) + v * LANES);
    if (f32) {
      const __m512i acc = narrow ? sum[v] : _mm512_sub_epi32(base, _mm512_slli_epi32(sum[v], 1));
      _mm512_storeu_ps(y + v * LANES * sizeof(float), transform(t, v, bounded, acc));
    } else {
      const __mmask16 bits = narrow ? _mm512_cmpge_epi32_mask(sum[v], base) : _mm512_cmpge_epu32_mask(sum[v], base);
      memcpy(y + v * LANES / 8, &bits, sizeof bits);
    }
  }
}

INLINE void pixels(const struct bnn_bconv2d_tile *t, uint32_t first, const int vectors, const int n, const bool narrow,
                   const bool f32, const bool bounded) {
  __m512i sum[8][4];
  for (int p = 0; p < n; p++)
    for (int v = 0; v < vectors; v++) {
      const int16_t *start = narrow ? bnn_bconv2d_start(t, &t->pixels[first + (uint32_t)p]) + v * LANES : NULL;
      sum[p][v] = narrow ? _mm512_cvtepi16_epi32(_mm256_loadu_si256((const void *)start)) : _mm512_setzero_si512();
    }
  if (narrow) count(t, first, NULL, vectors, n, sum);
  for (uint32_t i = 0; !narrow && i < t->pass_count; i++) {
    for (int p = 0; p < n; p++)
      for (int v = 0; v < vectors; v++) sum[p][v] = _mm512_sll_epi32(sum[p][v], _mm_cvtsi32_si128((int)t->passes[i].doubled));
    count(t, first, &t->passes[i], vectors, n, sum);
  }
  for (int p = 0; p < n; p++) write(t, first + (uint32_t)p, vectors, narrow, f32, bounded, sum[p]);
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const int vectors, const int nr, const bool narrow, const bool f32,
                 const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + (uint32_t)nr <= t.pixel_count; p += (uint32_t)nr) pixels(&t, p, vectors, nr, narrow, f32, bounded);
  for (; p < t.pixel_count; p++) pixels(&t, p, vectors, 1, narrow, f32, bounded);
}

TARGET void bnn_bconv2d_64x4_avx512(const struct bnn_bconv2d_tile *t) { BNN_BCONV2D_SPECIALISE(t, band, t, 4, 4); }
TARGET void bnn_bconv2d_16x8_avx512(const struct bnn_bconv2d_tile *t) { BNN_BCONV2D_SPECIALISE(t, band, t, 1, 8); }

#else
typedef int bnn_bconv2d_avx512_is_empty;
#endif
