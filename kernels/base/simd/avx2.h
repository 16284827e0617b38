/* SPDX-License-Identifier: Apache-2.0 */
/* The words in which the float kernels are written, for AVX2. A file that includes this holds code for one ISA alone.
 *
 * VEC is LANES floats. QUAD is four floats of the input, which FMA_LANE multiplies by one at a time; here it is where they
 * lie, since a broadcast from memory is free. MASK is the truth of LANES comparisons, and BITS gives it as that many bits. */
#ifndef BNN_BASE_SIMD_H
#define BNN_BASE_SIMD_H

#include <immintrin.h>

#include "base/cpu.h"

#define TARGET BNN_TARGET_AVX2
#define LANES 8
typedef __m256 VEC;
typedef const float *QUAD;
typedef __m256 MASK;
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define SET1(x) _mm256_set1_ps(x)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define MORE(a, b) _mm256_cmp_ps(a, b, _CMP_GT_OQ)
#define NOT_LESS(a, b) _mm256_cmp_ps(a, b, _CMP_GE_OQ)
#define CHOOSE(mask, a, b) _mm256_blendv_ps(b, a, mask)
#define BITS(mask) ((uint32_t)_mm256_movemask_ps(mask))
#define MIN(a, b) _mm256_min_ps(a, b)
#define MAX(a, b) _mm256_max_ps(a, b)
#define FMA(sum, a, b) _mm256_fmadd_ps(a, b, sum)
#define LOAD_QUAD(p) (p)
#define LOAD_ONE(p) (p)
#define FMA_LANE(sum, a, quad, lane) _mm256_fmadd_ps(a, _mm256_broadcast_ss((quad) + (lane)), sum)

#endif
