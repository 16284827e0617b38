/* SPDX-License-Identifier: Apache-2.0 */
/* The words of base/simd/avx2.h for NEON, of aarch64 and of ARMv7. There VMLA rounds the product too: VFMA came with VFPv4,
 * which Cortex-A8 and A9 lack. */
#ifndef BNN_BASE_SIMD_H
#define BNN_BASE_SIMD_H

#include <arm_neon.h>

static inline uint32_t sum_of_lanes(uint32x4_t lanes) {
#if defined(__aarch64__)
  return vaddvq_u32(lanes);
#else
  const uint32x2_t halves = vadd_u32(vget_low_u32(lanes), vget_high_u32(lanes));
  return vget_lane_u32(vpadd_u32(halves, halves), 0);
#endif
}

static inline uint32_t bits_of(uint32x4_t mask) {
  static const uint32_t places[4] = {1, 2, 4, 8};
  return sum_of_lanes(vandq_u32(mask, vld1q_u32(places)));
}

#define TARGET
#define LANES 4
typedef float32x4_t VEC;
typedef float32x4_t QUAD;
typedef uint32x4_t MASK;
#define LOAD(p) vld1q_f32(p)
#define STORE(p, v) vst1q_f32(p, v)
#define SET1(x) vdupq_n_f32(x)
#define ADD(a, b) vaddq_f32(a, b)
#define SUB(a, b) vsubq_f32(a, b)
#define MUL(a, b) vmulq_f32(a, b)
#define MORE(a, b) vcgtq_f32(a, b)
#define NOT_LESS(a, b) vcgeq_f32(a, b)
#define CHOOSE(mask, a, b) vbslq_f32(mask, a, b)
#define BITS(mask) bits_of(mask)
#define MIN(a, b) vminq_f32(a, b)
#define MAX(a, b) vmaxq_f32(a, b)
#define LOAD_QUAD(p) vld1q_f32(p)
#define LOAD_ONE(p) vld1q_dup_f32(p)
#if defined(__aarch64__)
#define FMA(sum, a, b) vfmaq_f32(sum, a, b)
#define FMA_LANE(sum, a, quad, lane) vfmaq_laneq_f32(sum, a, quad, lane)
#else
#define FMA(sum, a, b) vmlaq_f32(sum, a, b)
#define FMA_LANE(sum, a, quad, lane) \
  vmlaq_lane_f32(sum, a, (lane) < 2 ? vget_low_f32(quad) : vget_high_f32(quad), (lane) % 2)
#endif

#endif
