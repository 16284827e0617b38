/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/codes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What any real window stays far below; sums of these cannot overflow 64 bits. */
#define MAX_KERNEL 4096u
#define MAX_PAD 65536u

static enum bnn_status about_layer(const struct bnn_call *call, struct bnn_error *error, enum bnn_status status,
                                   const char *text) {
  return bnn_fail(error, status, "layer '%.80s' (%s): %s", call->name, call->row->name, text);
}

enum bnn_status bnn_broken(const struct bnn_call *call, struct bnn_error *error, const char *format, ...) {
  char text[200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return about_layer(call, error, BNN_E_MALFORMED, text);
}

enum bnn_status bnn_no_kernel(const struct bnn_call *call, const char *family, struct bnn_error *error) {
  char text[120];
  snprintf(text, sizeof text, "the kernel forced for the family %s does not run it here", family);
  return about_layer(call, error, BNN_E_UNSUPPORTED, text);
}

static enum bnn_status dtype_is(const struct bnn_call *call, const struct bnn_value *value, const char *which,
                                enum bnn_dtype dtype, struct bnn_error *error) {
  if (value->dtype == dtype && value->planes == 1) return BNN_E_OK;
  char text[120];
  if (value->dtype == BNN_I8 && dtype == BNN_F32) {
    return about_layer(call, error, BNN_E_UNSUPPORTED, "there is no int8 kernel for this operation");
  }
  if (value->planes != 1) {
    snprintf(text, sizeof text, "there is no kernel for %" PRIu32 " bit planes", value->planes);
    return about_layer(call, error, BNN_E_UNSUPPORTED, text);
  }
  return bnn_broken(call, error, "%s is %s, not %s", which, bnn_dtype_name(value->dtype), bnn_dtype_name(dtype));
}

enum bnn_status bnn_rule_bits(const struct bnn_call *call, const struct bnn_value *value, const char *which,
                              struct bnn_error *error) {
  if (value->dtype == BNN_BITS) return BNN_E_OK;
  return bnn_broken(call, error, "%s is %s, not bits", which, bnn_dtype_name(value->dtype));
}

enum bnn_status bnn_rule_input(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                               struct bnn_error *error) {
  const struct bnn_value *value = bnn_input(call, index);
  char which[24];
  snprintf(which, sizeof which, "input %" PRIu32, index);
  if (value == NULL) return bnn_broken(call, error, "%s is absent", which);
  return dtype_is(call, value, which, dtype, error);
}

enum bnn_status bnn_rule_output(const struct bnn_call *call, enum bnn_dtype dtype, struct bnn_error *error) {
  return dtype_is(call, call->output, "the output", dtype, error);
}

enum bnn_status bnn_rule_floats(const struct bnn_call *call, uint32_t count, struct bnn_error *error) {
  for (uint32_t i = 0; i < count; i++) {
    if (i < call->row->min_inputs || bnn_input(call, i) != NULL) BNN_TRY(bnn_rule_input(call, i, BNN_F32, error));
  }
  return bnn_rule_output(call, BNN_F32, error);
}

enum bnn_status bnn_rule_moved(const struct bnn_call *call, struct bnn_error *error) {
  for (uint32_t i = 0; i < call->input_count; i++) {
    if (call->inputs[i] == NULL) return bnn_broken(call, error, "input %" PRIu32 " is absent", i);
  }
  if (call->output->dtype == BNN_I8) {
    for (uint32_t i = 0; i < call->input_count; i++) BNN_TRY(bnn_rule_same_grid(call, i, error));
    return BNN_E_OK;
  }
  if (call->output->dtype != BNN_BITS) return bnn_rule_floats(call, call->input_count, error);
  for (uint32_t i = 0; i < call->input_count; i++) {
    BNN_TRY(bnn_rule_bits(call, call->inputs[i], "an input", error));
    if (call->inputs[i]->planes == call->output->planes) continue;
    return bnn_broken(call, error, "the output has %" PRIu32 " planes, input %" PRIu32 " has %" PRIu32,
                      call->output->planes, i, call->inputs[i]->planes);
  }
  return BNN_E_OK;
}

static enum bnn_status is_constant(const struct bnn_call *call, uint32_t index, struct bnn_error *error) {
  if (call->inputs[index]->constant) return BNN_E_OK;
  return about_layer(call, error, BNN_E_UNSUPPORTED, "its weights are computed; they must be constants");
}

enum bnn_status bnn_rule_constant(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                                  struct bnn_error *error) {
  BNN_TRY(bnn_rule_input(call, index, dtype, error));
  return is_constant(call, index, error);
}

enum bnn_status bnn_rule_constant_bits(const struct bnn_call *call, uint32_t index, struct bnn_error *error) {
  BNN_TRY(bnn_rule_bits(call, call->inputs[index], "the filter", error));
  return is_constant(call, index, error);
}

enum bnn_status bnn_rule_per_channel(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                                     uint32_t channels, bool single, struct bnn_error *error) {
  const struct bnn_value *value = bnn_input(call, index);
  if (value == NULL) return BNN_E_OK;
  BNN_TRY(bnn_rule_constant(call, index, dtype, error));
  if (value->rank == 1 && (value->shape[0] == channels || (single && value->shape[0] == 1))) return BNN_E_OK;
  return bnn_broken(call, error, "input %" PRIu32 " has the shape %s, but there are %" PRIu32 " channels", index,
                    bnn_shape_text(value->shape, value->rank).text, channels);
}

enum bnn_status bnn_rule_shape(const struct bnn_call *call, const uint32_t *shape, uint32_t rank,
                               struct bnn_error *error) {
  const struct bnn_value *output = call->output;
  if (output->rank == rank && memcmp(output->shape, shape, rank * sizeof *shape) == 0) return BNN_E_OK;
  return bnn_broken(call, error, "the output is %s, but the operation gives %s",
                    bnn_shape_text(output->shape, output->rank).text, bnn_shape_text(shape, rank).text);
}

enum bnn_status bnn_rule_same_shape(const struct bnn_call *call, struct bnn_error *error) {
  return bnn_rule_shape(call, call->inputs[0]->shape, call->inputs[0]->rank, error);
}

enum bnn_status bnn_rule_broadcast(const struct bnn_call *call, struct bnn_error *error) {
  uint32_t rank = 0, shape[BNN_MAX_RANK] = {1, 1, 1, 1, 1, 1};
  for (uint32_t i = 0; i < call->input_count; i++) {
    if (call->inputs[i]->rank > rank) rank = call->inputs[i]->rank;
  }
  for (uint32_t i = 0; i < call->input_count; i++) {
    const struct bnn_value *input = call->inputs[i];
    for (uint32_t axis = 0; axis < input->rank; axis++) {
      uint32_t size = input->shape[axis], *target = &shape[axis + rank - input->rank];
      if (size != 1 && *target != 1 && size != *target) {
        return bnn_broken(call, error, "input %" PRIu32 " of shape %s does not broadcast with the others", i,
                          bnn_shape_text(input->shape, input->rank).text);
      }
      if (size != 1) *target = size;
    }
  }
  return bnn_rule_shape(call, shape, rank, error);
}

enum bnn_status bnn_rule_images(const struct bnn_call *call, struct bnn_error *error) {
  if (call->inputs[0]->rank != 4 || call->output->rank != 4) {
    return bnn_broken(call, error, "it wants images [N, H, W, C], not %s",
                      bnn_shape_text(call->inputs[0]->shape, call->inputs[0]->rank).text);
  }
  return BNN_E_OK;
}

static enum bnn_status one_axis(const struct bnn_call *call, const char *axis, const uint32_t field[5], uint32_t size,
                                uint32_t *out, struct bnn_error *error) {
  uint32_t kernel = field[0], stride = field[1], dilation = field[2], before = field[3], after = field[4];
  if (kernel - 1 >= MAX_KERNEL || stride - 1 >= MAX_KERNEL || dilation - 1 >= MAX_KERNEL) { /* 0 wraps around */
    return bnn_broken(call, error,
                      "a kernel of %" PRIu32 ", stride %" PRIu32 ", dilation %" PRIu32 " in %s is not possible", kernel,
                      stride, dilation, axis);
  }
  if (before > MAX_PAD || after > MAX_PAD) {
    return bnn_broken(call, error, "a padding of %" PRIu32 " and %" PRIu32 " in %s is not possible", before, after,
                      axis);
  }
  uint64_t extent = (uint64_t)(kernel - 1) * dilation + 1, padded = (uint64_t)size + before + after;
  if (extent > padded) {
    return bnn_broken(call, error, "a window of %" PRIu64 " does not fit into a padded image of %" PRIu64 " in %s",
                      extent, padded, axis);
  }
  *out = (uint32_t)((padded - extent) / stride + 1);
  return BNN_E_OK;
}

enum bnn_status bnn_rule_window(const struct bnn_call *call, const struct bnn_window *window, uint32_t height,
                                uint32_t width, uint32_t *out_height, uint32_t *out_width, struct bnn_error *error) {
  const uint32_t rows[5] = {window->kernel_h, window->stride_h, window->dilation_h, window->pad_top,
                            window->pad_bottom};
  const uint32_t columns[5] = {window->kernel_w, window->stride_w, window->dilation_w, window->pad_left,
                               window->pad_right};
  BNN_TRY(one_axis(call, "height", rows, height, out_height, error));
  return one_axis(call, "width", columns, width, out_width, error);
}

enum bnn_status bnn_rule_convolution(const struct bnn_call *call, const struct bnn_window *window, uint32_t groups,
                                     struct bnn_error *error) {
  BNN_TRY(bnn_rule_images(call, error));
  const struct bnn_value *x = call->inputs[0], *filter = call->inputs[1];
  uint32_t channels = x->shape[3];
  if (filter->rank != 4 || groups == 0 || channels % groups || filter->shape[0] % groups ||
      filter->shape[3] != channels / groups) {
    return bnn_broken(call, error, "a filter of %s in %" PRIu32 " groups does not fit %" PRIu32 " channels",
                      bnn_shape_text(filter->shape, filter->rank).text, groups, channels);
  }
  if (filter->shape[1] != window->kernel_h || filter->shape[2] != window->kernel_w) {
    return bnn_broken(call, error, "the filter %s is not of the size of its window",
                      bnn_shape_text(filter->shape, filter->rank).text);
  }
  uint32_t shape[4] = {x->shape[0], 0, 0, filter->shape[0]};
  BNN_TRY(bnn_rule_window(call, window, x->shape[1], x->shape[2], &shape[1], &shape[2], error));
  return bnn_rule_shape(call, shape, 4, error);
}

uint64_t bnn_convolution_macs(const struct bnn_call *call) {
  const struct bnn_value *filter = call->inputs[1];
  return (uint64_t)bnn_value_elements(call->output) * filter->shape[1] * filter->shape[2] * filter->shape[3];
}

enum bnn_status bnn_rule_pool(const struct bnn_call *call, const struct bnn_window *window, struct bnn_error *error) {
  BNN_TRY(bnn_rule_images(call, error));
  const struct bnn_value *x = call->inputs[0];
  uint32_t shape[4] = {x->shape[0], 0, 0, x->shape[3]};
  BNN_TRY(bnn_rule_window(call, window, x->shape[1], x->shape[2], &shape[1], &shape[2], error));
  if (window->pad_top >= window->kernel_h || window->pad_bottom >= window->kernel_h ||
      window->pad_left >= window->kernel_w || window->pad_right >= window->kernel_w) {
    return bnn_broken(call, error, "a pool may not be padded by its whole window");
  }
  if ((window->kernel_h > 1 && window->dilation_h > x->shape[1]) ||
      (window->kernel_w > 1 && window->dilation_w > x->shape[2])) {
    return bnn_broken(call, error,
                      "a pool's taps are farther apart than the image is large"); /* it might see nothing */
  }
  return bnn_rule_shape(call, shape, 4, error);
}
