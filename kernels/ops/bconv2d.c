/* SPDX-License-Identifier: Apache-2.0 */
#include "bconv2d/bconv2d.h"

#include "ops/loops.h"
#include "ops/planes.h"
#include "ops/taps.h"

/* The family computes what has one plane everywhere; bit planes are summed up by the loops below. */
struct state {
  struct bnn_bconv2d_plan plan;
  void *packed;            /* NULL: the loops */
  const uint32_t *outside; /* what they read there: zero bits, which count as +1 */
};

static bool has_one_plane(const struct bnn_call *call) {
  const struct bnn_value *threshold = bnn_input(call, BNN_IN_THRESHOLD);
  return call->inputs[0]->planes == 1 && call->inputs[1]->planes == 1 && call->output->planes == 1 &&
         (threshold == NULL || bnn_threshold_count(threshold) == 1);
}

static enum bnn_status check(const struct bnn_call *call, struct bnn_error *error) {
  const struct bnn_bconv2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *filter = call->inputs[1];
  BNN_TRY(bnn_rule_bits(call, x, "input 0", error));
  BNN_TRY(bnn_rule_constant_bits(call, 1, error));
  BNN_TRY(bnn_rule_convolution(call, &params->window, params->groups, error));
  if (params->border > BNN_BORDER_ZERO) return bnn_broken(call, error, "border: unknown");
  if (params->x_code > BNN_CODE_UNARY || params->w_code > BNN_CODE_UNARY)
    return bnn_broken(call, error, "code: unknown");
  uint32_t channels = x->shape[3] / params->groups;
  if (params->groups > 1 && channels % 32) {
    return bnn_broken(call, error, "groups: %u channels a group are not whole words", (unsigned)channels);
  }
  uint64_t taps = (uint64_t)params->window.kernel_h * params->window.kernel_w * channels;
  uint64_t worth = (uint64_t)bnn_planes_worth(params->x_code, x->planes) *
                   (uint64_t)bnn_planes_worth(params->w_code, filter->planes);
  if (taps > INT32_MAX / 2 / worth) { /* acc = taps - 2 * popcount is held in 32 bits */
    return bnn_fail(error, BNN_E_LIMIT, "layer '%.80s' (bconv2d): its sums do not fit 32 bits", call->name);
  }
  return bnn_rule_output_stage(call, params->y_code, error);
}

static enum bnn_status plan_family(const struct bnn_call *call, struct bnn_plan *plan, struct state *state,
                                   struct bnn_error *error) {
  const struct bnn_bconv2d_params *params = call->params;
  const struct bnn_value *x = call->inputs[0], *y = call->output;
  const struct bnn_output_stage stage = bnn_output_stage(call, params->y_code, params->lo, params->hi);
  const struct bnn_bconv2d_problem problem = {
      .batch = x->shape[0],
      .in_h = x->shape[1],
      .in_w = x->shape[2],
      .channels = x->shape[3],
      .out_h = y->shape[1],
      .out_w = y->shape[2],
      .filters = y->shape[3],
      .window = params->window,
      .groups = params->groups,
      .border = (enum bnn_border)params->border,
      .output = y->dtype == BNN_BITS ? BNN_BCONV2D_BITS : BNN_BCONV2D_F32,
      .lo = params->lo,
      .hi = params->hi,
  };
  const struct bnn_bconv2d_weights weights = {
      .filter = call->inputs[1]->data,
      .multiplier = stage.multiplier,
      .bias = stage.bias,
      .clamp_lo = stage.clamp_lo,
      .clamp_hi = stage.clamp_hi,
      .threshold = stage.threshold,
  };
  bool clamped = weights.clamp_lo || weights.clamp_hi;
  if (!bnn_bconv2d_plan(&state->plan, &problem, clamped, plan->select)) return bnn_no_kernel(call, "bconv2d", error);
  state->packed = bnn_plan_keep(plan, state->plan.packed_bytes);
  if (state->packed == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for the weights of '%.80s'", call->name);
  bnn_bconv2d_pack(&state->plan, &weights, state->packed);
  plan->kernel = bnn_bconv2d_kernel_name(&state->plan);
  plan->units = state->plan.units;
  plan->grain = bnn_grain_macs(bnn_convolution_macs(call), 64, plan->units);
  plan->scratch_bytes = state->plan.scratch_bytes;
  return BNN_E_OK;
}

static enum bnn_status plan(const struct bnn_call *call, struct bnn_plan *plan, struct bnn_error *error) {
  struct state *state = plan->state = bnn_plan_keep(plan, sizeof *state);
  if (state == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  if (has_one_plane(call)) return plan_family(call, plan, state, error);
  state->outside = bnn_plan_keep(plan, bnn_value_pixel_bytes(call->inputs[0]));
  if (state->outside == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory to plan '%.80s'", call->name);
  plan->kernel = "bconv2d_planes";
  plan->units = bnn_value_pixels(call->output);
  plan->grain = bnn_grain_macs(bnn_convolution_macs(call), 8, plan->units);
  plan->scratch_bytes = call->output->shape[3] * sizeof(int32_t);
  return BNN_E_OK;
}

/* --- bit planes -----------------------------------------------------------------------------------------------------
 */

static int32_t differences(const uint32_t *x, const uint32_t *w, uint32_t words) {
  int32_t count = 0;
  for (uint32_t i = 0; i < words; i++) count += __builtin_popcount(x[i] ^ w[i]);
  return count;
}

/* Adds tap `tap` of every filter on the pixel x to the sums. */
static void add_tap(const struct bnn_call *call, const uint32_t *x, uint32_t tap, int32_t *acc) {
  const struct bnn_bconv2d_params *params = call->params;
  const struct bnn_value *filter = call->inputs[1];
  uint32_t filters = filter->shape[0], channels = filter->shape[3], words = bnn_words(channels);
  uint32_t x_words = bnn_words(call->inputs[0]->shape[3]), taps = filter->shape[1] * filter->shape[2];
  for (uint32_t o = 0; o < filters; o++) {
    const uint32_t *w = (const uint32_t *)filter->data + ((size_t)o * taps + tap) * filter->planes * words;
    const uint32_t *group = x + (params->groups > 1 ? o / (filters / params->groups) * words : 0);
    for (uint32_t j = 0; j < filter->planes; j++, w += words) {
      for (uint32_t i = 0; i < call->inputs[0]->planes; i++) {
        int32_t worth = bnn_plane_worth(params->w_code, j) * bnn_plane_worth(params->x_code, i);
        acc[o] += worth * ((int32_t)channels - 2 * differences(group + (size_t)i * x_words, w, words));
      }
    }
  }
}

static void run_planes(const struct bnn_call *call, const uint32_t *outside, size_t begin, size_t end, int32_t *acc) {
  const struct bnn_bconv2d_params *params = call->params;
  const struct bnn_window *window = &params->window;
  const struct bnn_value *input = call->inputs[0], *output = call->output;
  const struct bnn_output_stage stage = bnn_output_stage(call, params->y_code, params->lo, params->hi);
  size_t height = output->shape[1], width = output->shape[2],
         pixel_words = bnn_value_pixel_bytes(input) / sizeof(uint32_t);
  for (size_t pixel = begin; pixel < end; pixel++) {
    struct bnn_window_at at =
        bnn_window_at(window, input, (uint32_t)(pixel / width % height), (uint32_t)(pixel % width));
    for (uint32_t o = 0; o < stage.channels; o++) acc[o] = 0;
    for (uint32_t i = 0; i < window->kernel_h; i++) {
      for (uint32_t j = 0; j < window->kernel_w; j++) {
        const uint32_t *x = outside;
        if (bnn_tap_is_inside(&at, i, j)) {
          x = (const uint32_t *)input->data +
              bnn_tap_pixel(window, input, &at, pixel / (width * height), i, j) * pixel_words;
        } else if (params->border == BNN_BORDER_ZERO) {
          continue;
        }
        add_tap(call, x, i * window->kernel_w + j, acc);
      }
    }
    bnn_output_pixel(&stage, acc, output, pixel);
  }
}

static void run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread) {
  const struct state *state = plan->state;
  void *scratch = bnn_plan_scratch(plan, thread);
  if (state->packed == NULL) {
    run_planes(call, state->outside, begin, end, scratch);
  } else {
    bnn_bconv2d_run(&state->plan, state->packed, call->inputs[0]->data, call->output->data, scratch, begin, end);
  }
}

const struct bnn_op bnn_op_bconv2d = {check, plan, run};
