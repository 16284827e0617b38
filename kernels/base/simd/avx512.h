/* SPDX-License-Identifier: Apache-2.0 */
/* The words of base/simd/avx2.h for AVX-512. */
#ifndef BNN_BASE_SIMD_H
#define BNN_BASE_SIMD_H

#include <immintrin.h>

#include "base/cpu.h"

#define TARGET BNN_TARGET_AVX512
#define LANES 16
typedef __m512 VEC;
typedef const float *QUAD;
typedef __mmask16 MASK;
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define SET1(x) _mm512_set1_ps(x)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define MORE(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ)
#define NOT_LESS(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ)
#define CHOOSE(mask, a, b) _mm512_mask_blend_ps(mask, b, a)
#define BITS(mask) ((uint32_t)(mask))
#define MIN(a, b) _mm512_min_ps(a, b)
#define MAX(a, b) _mm512_max_ps(a, b)
#define FMA(sum, a, b) _mm512_fmadd_ps(a, b, sum)
#define LOAD_QUAD(p) (p)
#define LOAD_ONE(p) (p)
#define FMA_LANE(sum, a, quad, lane) _mm512_fmadd_ps(a, _mm512_set1_ps((quad)[lane]), sum)

#endif
