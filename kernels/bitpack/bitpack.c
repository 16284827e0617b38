/* SPDX-License-Identifier: Apache-2.0 */
#include "bitpack/kernel.h"

#include <float.h>
#include <math.h>

#include "base/sizes.h"

static const struct bnn_bitpack_kernel rows[] = {
#define BNN_BITPACK(mr, nr, isa, ISA, TUNING)                                          \
  {{"bitpack", "bitpack_" #mr "x" #nr "_" #isa, BNN_ISA_##ISA, BNN_TUNING_##TUNING}, \
   bnn_bitpack_##mr##x##nr##_##isa},
#include "bitpack/kernels.inc"
#undef BNN_BITPACK
};

extern const struct bnn_family bnn_bitpack_family;
const struct bnn_family bnn_bitpack_family = {"bitpack", rows, sizeof rows / sizeof *rows, sizeof *rows};

static uint32_t words_of(const struct bnn_bitpack_plan *plan) { return (plan->problem.channels + 31) / 32; }

bool bnn_bitpack_plan(struct bnn_bitpack_plan *plan, const struct bnn_bitpack_problem *problem,
                      const struct bnn_select *select) {
  *plan = (struct bnn_bitpack_plan){.problem = *problem, .units = problem->pixels};
  plan->packed_bytes = bnn_aligned(words_of(plan) * (32 * sizeof(float) + sizeof(uint32_t)));
  plan->kernel = bnn_family_choose(&bnn_bitpack_family, select, NULL, NULL);
  return plan->kernel != NULL;
}

/* A denormal x counts as zero. Comparing against these thresholds gives that by itself, and gives it whether or not the
 * core flushes denormals (ARMv7's NEON always does):
 *   no x but a negative normal one is below 0: so -(the largest denormal), or what it is flushed to, stands for 0
 *   zero is below a positive denormal, so every denormal is, and no positive normal is: the least normal stands for it */
static float denormals_as_zero(float threshold) {
  if (threshold >= FLT_MIN || threshold <= -FLT_MIN || isnan(threshold)) return threshold;
  return threshold > 0 ? FLT_MIN : -nextafterf(FLT_MIN, 0.0f);
}

void bnn_bitpack_pack(const struct bnn_bitpack_plan *plan, const float *threshold, uint32_t threshold_count,
                      const uint32_t *invert, void *packed) {
  const uint32_t channels = plan->problem.channels, words = words_of(plan);
  float *thresholds = packed;
  uint32_t *inverts = (uint32_t *)(void *)(thresholds + words * 32);
  for (uint32_t i = 0; i < words * 32; i++)
    thresholds[i] = i < channels ? denormals_as_zero(threshold[threshold_count == 1 ? 0 : i]) : 0.0f;
  for (uint32_t i = 0; i < words; i++) {
    const uint32_t last = channels - i * 32;
    inverts[i] = invert ? invert[i] & (last < 32 ? (1u << last) - 1 : ~0u) : 0;
  }
}

void bnn_bitpack_run(const struct bnn_bitpack_plan *plan, const void *packed, const float *x, uint32_t *y, size_t begin,
                     size_t end) {
  const uint32_t channels = plan->problem.channels, words = words_of(plan);
  const float *threshold = packed;
  const uint32_t *invert = (const uint32_t *)(const void *)(threshold + words * 32);
  plan->kernel->run(x + begin * channels, y + begin * words, end - begin, channels, threshold, invert);
}

const char *bnn_bitpack_kernel_name(const struct bnn_bitpack_plan *plan) { return plan->kernel->kernel.name; }
