/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/convolve.h"

#include "depthwise/depthwise.h"
#include "idepthwise/idepthwise.h"
#include "igemm/conv2d.h"
#include "ops/codes.h"

/* The families by what they multiply and how. */
enum family { SGEMM, DEPTHWISE, IGEMM, IDEPTHWISE };

struct state {
  enum family family;
  union {
    struct bnn_conv2d_plan conv2d;
    struct bnn_depthwise_plan depthwise;
    struct bnn_iconv2d_plan iconv2d;
    struct bnn_idepthwise_plan idepthwise;
  } by;
  void *packed;
};

enum bnn_status bnn_convolve_check(const struct bnn_call *call, uint64_t taps, uint32_t filters, struct bnn_error *error) {
  if (bnn_is_coded(call->output)) return bnn_rule_int8_weights(call, taps, filters, error);
  if (bnn_input(call, 3)) return bnn_broken(call, error, "input 3: scales of weights that are no codes");
  BNN_TRY(bnn_rule_floats(call, 1, error));
  BNN_TRY(bnn_rule_constant(call, 1, BNN_F32, error));
  return bnn_rule_per_channel(call, 2, BNN_F32, filters, false, error);
}

/* What a family's plan asks for, before its weights are packed. */
static enum bnn_status settle(const struct bnn_call *call, struct bnn_plan *plan, const char *kernel, size_t packed_bytes,
                              size_t scratch_bytes, size_t units, struct bnn_error *error) {
  struct state *state = plan->state;
  plan->kernel = kernel;
  plan->scratch_bytes = scratch_bytes;
  plan->units = units;
  state->packed = bnn_plan_keep(plan, packed_bytes);
  return state->packed ? BNN_E_OK : bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
}

static enum bnn_status plan_floats(const struct bnn_call *call, struct bnn_plan *plan,
                                   const struct bnn_conv2d_problem *problem, struct bnn_error *error) {
  const float *filter = call->inputs[1]->data, *bias = bnn_input(call, 2) ? call->inputs[2]->data : NULL;
  struct state *state = plan->state;
  if (bnn_is_depthwise(&problem->sizes)) {
    struct bnn_depthwise_plan *by = &state->by.depthwise;
    state->family = DEPTHWISE;
    if (!bnn_depthwise_plan(by, problem, plan->select)) return bnn_no_kernel(call, "depthwise", error);
    BNN_TRY(settle(call, plan, bnn_depthwise_kernel_name(by), by->packed_bytes, by->scratch_bytes, by->units, error));
    plan->bands = &by->patches;
    bnn_depthwise_pack(by, filter, bias, state->packed);
  } else {
    struct bnn_conv2d_plan *by = &state->by.conv2d;
    state->family = SGEMM;
    if (!bnn_conv2d_plan(by, problem, plan->select)) return bnn_no_kernel(call, "sgemm", error);
    BNN_TRY(settle(call, plan, bnn_conv2d_kernel_name(by), by->packed_bytes, by->scratch_bytes, by->units, error));
    plan->bands = &by->patches;
    bnn_conv2d_pack(by, filter, bias, state->packed);
  }
  return BNN_E_OK;
}

static enum bnn_status plan_codes(const struct bnn_call *call, struct bnn_plan *plan,
                                  const struct bnn_conv2d_problem *real, struct bnn_error *error) {
  const struct bnn_value *x = call->inputs[0], *y = call->output, *bias = bnn_input(call, 2);
  const struct bnn_code_range range = bnn_code_range(y, real->lo, real->hi);
  const struct bnn_iconv2d_problem problem = {
      .sizes = real->sizes,
      .x_zero = x->zero_point,
      .border = bnn_encode(real->pad_value, x->scale, x->zero_point),
      .y_zero = y->zero_point,
      .lo = range.lo,
      .hi = range.hi,
  };
  const struct bnn_iconv2d_weights weights = {call->inputs[1]->data, bias ? bias->data : NULL,
                                              bnn_layer_ratios(call, plan, real->sizes.filters)};
  if (weights.ratio == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  struct state *state = plan->state;
  if (bnn_idepthwise_fits(&real->sizes)) {
    struct bnn_idepthwise_plan *by = &state->by.idepthwise;
    state->family = IDEPTHWISE;
    if (!bnn_idepthwise_plan(by, &problem, plan->select)) return bnn_no_kernel(call, "idepthwise", error);
    BNN_TRY(settle(call, plan, bnn_idepthwise_kernel_name(by), by->packed_bytes, 0, by->units, error));
    plan->unit_elements = bnn_value_elements(y) / by->units;
    bnn_idepthwise_pack(by, &weights, state->packed);
  } else {
    struct bnn_iconv2d_plan *by = &state->by.iconv2d;
    state->family = IGEMM;
    if (!bnn_iconv2d_plan(by, &problem, plan->select)) return bnn_no_kernel(call, "igemm", error);
    BNN_TRY(settle(call, plan, bnn_iconv2d_kernel_name(by), by->packed_bytes, by->scratch_bytes, by->units, error));
    plan->bands = &by->patches;
    bnn_iconv2d_pack(by, &weights, state->packed);
  }
  return BNN_E_OK;
}

enum bnn_status bnn_convolve_plan(const struct bnn_call *call, struct bnn_plan *plan, const struct bnn_conv2d_problem *problem,
                                  struct bnn_error *error) {
  plan->state = bnn_plan_keep(plan, sizeof(struct state));
  if (plan->state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  const bool coded = bnn_is_coded(call->output);
  BNN_TRY((coded ? plan_codes : plan_floats)(call, plan, problem, error));
  const uint64_t macs = (uint64_t)bnn_value_elements(call->output) * bnn_filter_elements(&problem->sizes);
  plan->grain = bnn_grain_macs(macs, coded ? 8 : 4, plan->units);
  return BNN_E_OK;
}

void bnn_convolve_run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct state *state = plan->state;
  const void *x = call->inputs[0]->data;
  void *y = call->output->data, *scratch = bnn_plan_scratch(plan, thread);
  switch (state->family) {
    case SGEMM: bnn_conv2d_run(&state->by.conv2d, state->packed, x, y, scratch, begin, end); break;
    case DEPTHWISE: bnn_depthwise_run(&state->by.depthwise, state->packed, x, y, scratch, begin, end); break;
    case IGEMM: bnn_iconv2d_run(&state->by.iconv2d, state->packed, x, y, scratch, begin, end); break;
    case IDEPTHWISE: bnn_idepthwise_run(&state->by.idepthwise, state->packed, x, y, begin, end); break;
  }
}
