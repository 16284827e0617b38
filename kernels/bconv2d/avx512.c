/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 with VPOPCNTDQ. A lane is a channel, so nothing is ever summed across lanes: a word of the patch is broadcast, and
 * each 512 products take one XOR, one VPOPCNTD and one ADD; or, of windows of three rows, each 1536 take eight operations. */
#if defined(__x86_64__)
#include "bconv2d/kernel.h"

#include <immintrin.h>
#include <string.h>

enum {
  LANES = 16,
  MAJORITY = 0xD4, /* of a, b and a ^ b ^ s: bit 4a + 2b + s */
};
#define TARGET BNN_TARGET_AVX512
#define INLINE TARGET static inline __attribute__((always_inline))

/* vectors of channels, at most 2; n pixels, at most 8 */
INLINE void count(const struct bnn_bconv2d_tile *t, uint32_t first, const struct bnn_bconv2d_pass *pass, const int vectors,
                  const int n, __m512i sum[8][2]) {
  const uint32_t *w = bnn_bconv2d_weights_of(t, pass), *x[8];
  for (int p = 0; p < n; p++) x[p] = bnn_bconv2d_patch(t, &t->pixels[first + (uint32_t)p], pass);
  for (uint32_t i = 0; i < t->words; i++, w += vectors * LANES) {
    __m512i weight[2];
    for (int v = 0; v < vectors; v++) weight[v] = _mm512_loadu_si512(w + v * LANES);
    for (int p = 0; p < n; p++) {
      const __m512i word = _mm512_set1_epi32((int)x[p][i]);
      for (int v = 0; v < vectors; v++)
        sum[p][v] = _mm512_add_epi32(sum[p][v], _mm512_popcnt_epi32(_mm512_xor_si512(word, weight[v])));
    }
  }
}

/* The same of patches with parity: see enum bnn_bconv2d_form. */
INLINE void count_parity(const struct bnn_bconv2d_tile *t, uint32_t first, const struct bnn_bconv2d_pass *pass,
                         const int vectors, const int n, __m512i sum[8][2]) {
  const uint32_t *w = bnn_bconv2d_weights_of(t, pass), *x[8];
  const size_t row = t->row_step, parity = t->parity_step;
  __m512i carry[8][2];
  for (int p = 0; p < n; p++) {
    x[p] = bnn_bconv2d_patch(t, &t->pixels[first + (uint32_t)p], pass);
    for (int v = 0; v < vectors; v++) carry[p][v] = _mm512_setzero_si512();
  }
  for (uint32_t i = 0; i < t->words / 3; i++, w += 3 * vectors * LANES) {
    __m512i weight[3][2];
    for (int j = 0; j < 3; j++)
      for (int v = 0; v < vectors; v++) weight[j][v] = _mm512_loadu_si512(w + (j * vectors + v) * LANES);
    for (int p = 0; p < n; p++)
      for (int v = 0; v < vectors; v++) {
        const __m512i a = _mm512_xor_si512(_mm512_set1_epi32((int)x[p][i]), weight[0][v]);
        const __m512i b = _mm512_xor_si512(_mm512_set1_epi32((int)x[p][row + i]), weight[1][v]);
        const __m512i s = _mm512_xor_si512(_mm512_set1_epi32((int)x[p][parity + i]), weight[2][v]);
        sum[p][v] = _mm512_add_epi32(sum[p][v], _mm512_popcnt_epi32(s));
        carry[p][v] = _mm512_add_epi32(carry[p][v], _mm512_popcnt_epi32(_mm512_ternarylogic_epi32(a, b, s, MAJORITY)));
      }
  }
  for (int p = 0; p < n; p++)
    for (int v = 0; v < vectors; v++) sum[p][v] = _mm512_add_epi32(sum[p][v], _mm512_slli_epi32(carry[p][v], 1));
}

/* The output transform of a vector of channels: loaded once for all pixels, since a load of 512 bits takes a cycle. */
struct transform {
  __m512 multiplier, bias, clamp_lo, clamp_hi, lo, hi;
};

INLINE struct transform load_transform(const struct bnn_bconv2d_tile *t, const int v, const bool bounded) {
  struct transform f = {.multiplier = _mm512_loadu_ps(t->multiplier + v * LANES), .bias = _mm512_loadu_ps(t->bias + v * LANES)};
  if (!bounded) return f;
  f.clamp_lo = t->clamp_lo ? _mm512_loadu_ps(t->clamp_lo + v * LANES) : _mm512_set1_ps(-INFINITY);
  f.clamp_hi = t->clamp_hi ? _mm512_loadu_ps(t->clamp_hi + v * LANES) : _mm512_set1_ps(INFINITY);
  f.lo = _mm512_set1_ps(t->lo);
  f.hi = _mm512_set1_ps(t->hi);
  return f;
}

INLINE __m512 apply(const struct transform *f, const bool bounded, __m512 value) {
  if (bounded) value = _mm512_min_ps(_mm512_max_ps(value, f->clamp_lo), f->clamp_hi);
  value = _mm512_add_ps(_mm512_mul_ps(value, f->multiplier), f->bias);
  return bounded ? _mm512_min_ps(_mm512_max_ps(value, f->lo), f->hi) : value;
}

/* A vector of channels of n pixels, from the tile's pixel `first` on. */
INLINE void write_floats(const struct bnn_bconv2d_tile *t, uint32_t first, const int v, const int n, const bool narrow,
                         const bool bounded, __m512i sum[8][2]) {
  const struct transform f = load_transform(t, v, bounded);
  for (int p = 0; p < n; p++) {
    const uint32_t pixel = first + (uint32_t)p;
    const int32_t *base = narrow ? NULL : bnn_bconv2d_base(t, &t->pixels[pixel]) + v * LANES;
    const __m512 value =
        narrow ? _mm512_sub_ps(_mm512_castsi512_ps(sum[p][v]), _mm512_set1_ps(bnn_bconv2d_zero))
               : _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(base), _mm512_slli_epi32(sum[p][v], 1)));
    _mm512_storeu_ps((float *)(void *)(t->y + pixel * t->y_step) + v * LANES, apply(&f, bounded, value));
  }
}

INLINE void write_bits(const struct bnn_bconv2d_tile *t, uint32_t first, const int v, const int n, const bool narrow,
                       __m512i sum[8][2]) {
  for (int p = 0; p < n; p++) {
    const uint32_t pixel = first + (uint32_t)p;
    const int32_t *limit = narrow ? NULL : bnn_bconv2d_base(t, &t->pixels[pixel]) + v * LANES;
    const __mmask16 bits = narrow ? _mm512_cmpge_epi32_mask(sum[p][v], _mm512_setzero_si512())
                                  : _mm512_cmpge_epu32_mask(sum[p][v], _mm512_loadu_si512(limit));
    memcpy(t->y + pixel * t->y_step + v * LANES / 8, &bits, sizeof bits);
  }
}

INLINE void pixels(const struct bnn_bconv2d_tile *t, uint32_t first, const int vectors, const int n, const bool parity,
                   const bool narrow, const bool f32, const bool bounded) {
  __m512i sum[8][2];
  for (int p = 0; p < n; p++) {
    const int32_t *start = narrow ? bnn_bconv2d_start(t, &t->pixels[first + (uint32_t)p]) : NULL;
    for (int v = 0; v < vectors; v++) sum[p][v] = narrow ? _mm512_loadu_si512(start + v * LANES) : _mm512_setzero_si512();
  }
  if (narrow) parity ? count_parity(t, first, NULL, vectors, n, sum) : count(t, first, NULL, vectors, n, sum);
  for (uint32_t i = 0; !narrow && i < t->pass_count; i++) {
    for (int p = 0; p < n; p++)
      for (int v = 0; v < vectors; v++) sum[p][v] = _mm512_sll_epi32(sum[p][v], _mm_cvtsi32_si128((int)t->passes[i].doubled));
    const struct bnn_bconv2d_pass *pass = &t->passes[i];
    parity ? count_parity(t, first, pass, vectors, n, sum) : count(t, first, pass, vectors, n, sum);
  }
  for (int v = 0; v < vectors; v++)
    f32 ? write_floats(t, first, v, n, narrow, bounded, sum) : write_bits(t, first, v, n, narrow, sum);
}

INLINE void band(const struct bnn_bconv2d_tile *tile, const int vectors, const int nr, const bool parity, const bool narrow,
                 const bool f32, const bool bounded) {
  const struct bnn_bconv2d_tile t = *tile; /* a copy of its own, which no store can change */
  uint32_t p = 0;
  for (; p + (uint32_t)nr <= t.pixel_count; p += (uint32_t)nr) pixels(&t, p, vectors, nr, parity, narrow, f32, bounded);
  for (; p < t.pixel_count; p++) pixels(&t, p, vectors, 1, parity, narrow, f32, bounded);
}

INLINE void run(const struct bnn_bconv2d_tile *t, const int vectors, const int nr) {
  if (t->parity_step)
    BNN_BCONV2D_SPECIALISE(t, band, t, vectors, nr, true);
  else
    BNN_BCONV2D_SPECIALISE(t, band, t, vectors, nr, false);
}

TARGET void bnn_bconv2d_32x4_avx512(const struct bnn_bconv2d_tile *t) { run(t, 2, 4); }
TARGET void bnn_bconv2d_16x8_avx512(const struct bnn_bconv2d_tile *t) { run(t, 1, 8); }

#else
typedef int bnn_bconv2d_avx512_is_empty;
#endif
