/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that the shape rules of the ops are made of. Each fails with a message that names the layer and the op. */
#ifndef BNN_OPS_RULES_H
#define BNN_OPS_RULES_H

#include "runtime/op.h"

/* Returns from the calling function when a rule is broken. */
#define BNN_TRY(expression)                                                                                            \
  do {                                                                                                                 \
    enum bnn_status status_ = (expression);                                                                            \
    if (status_ != BNN_E_OK) return status_;                                                                           \
  } while (0)

/* MALFORMED: "layer 'conv1' (conv2d): <what>". */
enum bnn_status bnn_broken(const struct bnn_call *call, struct bnn_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* UNSUPPORTED: a kernel was forced that cannot do this layer, or this CPU lacks its ISA. */
enum bnn_status bnn_no_kernel(const struct bnn_call *call, const char *family, struct bnn_error *error);

/* Inputs [0, count) that are present, and the output, are float32. An int8 one is UNSUPPORTED. */
enum bnn_status bnn_rule_floats(const struct bnn_call *call, uint32_t count, struct bnn_error *error);
enum bnn_status bnn_rule_input(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                               struct bnn_error *error);
enum bnn_status bnn_rule_output(const struct bnn_call *call, enum bnn_dtype dtype, struct bnn_error *error);
/* Bits of any number of planes. */
enum bnn_status bnn_rule_bits(const struct bnn_call *call, const struct bnn_value *value, const char *which,
                              struct bnn_error *error);
/* All inputs and the output are floats, or int8 of one grid, or bits of as many planes: what ops need that only move
 * values. */
enum bnn_status bnn_rule_moved(const struct bnn_call *call, struct bnn_error *error);
/* The same for an input that must be in the file: weights, thresholds. */
enum bnn_status bnn_rule_constant(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                                  struct bnn_error *error);
/* Bits of any number of planes; the input is not optional. */
enum bnn_status bnn_rule_constant_bits(const struct bnn_call *call, uint32_t index, struct bnn_error *error);
/* Input `index`, where present, is a constant of `dtype` with one element a channel, or a single one where `single`. */
enum bnn_status bnn_rule_per_channel(const struct bnn_call *call, uint32_t index, enum bnn_dtype dtype,
                                     uint32_t channels, bool single, struct bnn_error *error);

/* The output's shape. */
enum bnn_status bnn_rule_shape(const struct bnn_call *call, const uint32_t *shape, uint32_t rank,
                               struct bnn_error *error);
enum bnn_status bnn_rule_same_shape(const struct bnn_call *call, struct bnn_error *error);
/* The output is what all inputs broadcast to, as NumPy does it. */
enum bnn_status bnn_rule_broadcast(const struct bnn_call *call, struct bnn_error *error);
/* Rank 4 for input 0 and the output. */
enum bnn_status bnn_rule_images(const struct bnn_call *call, struct bnn_error *error);

/* Bounds of a window's fields, then the height and width that it makes of an image of height x width. */
enum bnn_status bnn_rule_window(const struct bnn_call *call, const struct bnn_window *window, uint32_t height,
                                uint32_t width, uint32_t *out_height, uint32_t *out_width, struct bnn_error *error);
/* A convolution: filter, groups, window and the output's shape. */
enum bnn_status bnn_rule_convolution(const struct bnn_call *call, const struct bnn_window *window, uint32_t groups,
                                     struct bnn_error *error);
/* Its multiply-accumulates. */
uint64_t bnn_convolution_macs(const struct bnn_call *call);
/* A pool: window, pads below the kernel, the output's shape. */
enum bnn_status bnn_rule_pool(const struct bnn_call *call, const struct bnn_window *window, struct bnn_error *error);

#endif
