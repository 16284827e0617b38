/* SPDX-License-Identifier: Apache-2.0 */
#include "lif/lif.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "lif/kernel.h"

static const struct bnn_lif_kernel rows[] = {
#define BNN_LIF(mr, nr, isa, ISA, TUNING) \
  {{"lif", "lif_" #mr "x" #nr "_" #isa, BNN_ISA_##ISA, BNN_TUNING_##TUNING}, bnn_lif_##mr##x##nr##_##isa},
#include "lif/kernels.inc"
#undef BNN_LIF
};

extern const struct bnn_family bnn_lif_family;
const struct bnn_family bnn_lif_family = {"lif", rows, sizeof rows / sizeof *rows, sizeof *rows};

static const float absent[BNN_LIF_CONSTANTS] = {INFINITY, 1.0f, 1.0f, 0.0f, 0.0f, 0.0f};

enum { WIDTH = 64 }; /* pixels of fewer channels are taken together, so that vectors are full */

/* After so many pixels the constants begin anew. */
static size_t period(const struct bnn_lif_problem *p) {
  for (int k = 0; k < BNN_LIF_CONSTANTS; k++)
    if (p->constants[k] != NULL && p->counts[k] > p->channels) return p->pixels;
  return p->bits || p->channels >= WIDTH ? 1 : WIDTH / p->channels;
}

bool bnn_lif_plan(struct bnn_lif_plan *plan, const struct bnn_lif_problem *problem, const struct bnn_select *select) {
  *plan = (struct bnn_lif_plan){.problem = *problem, .units = problem->pixels};
  plan->packed_bytes = bnn_aligned(BNN_LIF_CONSTANTS * period(problem) * problem->channels * sizeof(float));
  for (int k = BNN_LIF_DECAY; k <= BNN_LIF_OFFSET; k++) plan->leaks |= problem->constants[k] != NULL;
  plan->kernel = bnn_family_choose(&bnn_lif_family, select, NULL, NULL);
  return plan->kernel != NULL;
}

/* Each constant spread out, so that no loop asks which of them a layer has. */
void bnn_lif_pack(const struct bnn_lif_plan *plan, void *packed) {
  const struct bnn_lif_problem *p = &plan->problem;
  const size_t each = period(p) * p->channels;
  float *to = packed;
  for (int k = 0; k < BNN_LIF_CONSTANTS; k++, to += each) {
    const float *from = p->constants[k] ? p->constants[k] : &absent[k];
    const size_t count = p->constants[k] ? p->counts[k] : 1;
    for (size_t i = 0; i < each; i++) to[i] = from[i % count];
  }
}

void bnn_lif_run(const struct bnn_lif_plan *plan, const void *packed, const float *x, float *v, void *y, bool first_step,
                 size_t begin, size_t end) {
  const struct bnn_lif_problem *p = &plan->problem;
  const size_t channels = p->channels, words = (channels + 31) / 32, pixels = period(p);
  for (size_t pixel = begin, count; pixel < end; pixel += count) {
    const size_t phase = pixel % pixels, left = pixels - phase < end - pixel ? pixels - phase : end - pixel;
    count = p->bits ? 1 : left; /* a pixel's bits begin with a word of their own */
    struct bnn_lif_row row = {.params = &p->params, .leaks = plan->leaks, .n = count * channels,
                              .x = x + pixel * channels, .v = v + pixel * channels};
    for (size_t k = 0; k < BNN_LIF_CONSTANTS; k++)
      row.constant[k] = (const float *)packed + (k * pixels + phase) * channels;
    if (first_step) memcpy(row.v, row.constant[BNN_LIF_INITIAL], row.n * sizeof *v);
    plan->kernel->run(&row, (float *)y + pixel * channels, p->bits ? (uint32_t *)y + pixel * words : NULL);
  }
}

const char *bnn_lif_kernel_name(const struct bnn_lif_plan *plan) { return plan->kernel->kernel.name; }
