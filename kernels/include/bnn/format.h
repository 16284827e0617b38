/* SPDX-License-Identifier: Apache-2.0 */
/* The .bnn file IS these structs, little-endian, in this order:
 *
 *   bnn_header | bnn_tensor[] | bnn_node[] | uint32 index[] | params | strings | data
 *
 * Every offset counts bytes from the start of the file. Sections are 64-byte aligned, and so is each constant in `data`,
 * so that a mapped file can be used as it lies. The C runtime and Python (harness/abi.py, through cffi) read this header:
 * it stays within plain structs, enums and integer #defines.
 *
 * Version history
 *   1  first version
 *   2  int8: scale and zero point of tensors count; convert, lookup
 *   3  states: outputs that are inputs of the next run
 */
#ifndef BNN_FORMAT_H
#define BNN_FORMAT_H

#include <stdint.h>

#define BNN_VERSION 3
#define BNN_ALIGN 64
#define BNN_MAX_RANK 6
#define BNN_NONE 0xFFFFFFFFu /* an absent optional input */
#define BNN_INT8_MAX_TAPS 32768u    /* of a filter of int8: more might take a sum out of 32 bits */
#define BNN_INT8_MAX_BIAS 536870912 /* on either side of 0; with it they do not */

/* What one element of a tensor is.
 * BITS: one bit an element, packed along the last axis into little-endian uint32 words, lowest bit first. The last axis
 * is padded to whole words with zero bits: a pixel of C channels takes ceil(C / 32) words. Bit 0 stands for +1, bit 1 for
 * -1. A tensor of several planes keeps the words of plane 0 of a pixel first, then those of plane 1 and so on.
 * I8: codes of real numbers, scale * code - scale * zero_point, both products rounded to float32. An operation means on
 * codes what it means on the real numbers; a result, times 1 / scale as float32, is rounded to the nearest code, halves
 * away from zero, and held within -128 .. 127. Where x and y are int8, conv2d, dense, arith and mean compute in integers: the sum of products of
 * codes, less their zero points, times the ratio r of the scales. With r = mantissa * 2^(exponent - 31), the mantissa
 * rounded to 31 bits, sum * 2^max(exponent, 0) * mantissa is shifted right by 31 and the rest by max(-exponent, 0), each
 * time rounded to the nearest, halves up: so processors with vectors do it, and so does TensorFlow Lite on them. In arith
 * and mean the second shift takes halves away from zero, and what is added has 20 bits more than codes have. */
enum bnn_dtype { BNN_F32 = 1, BNN_I8 = 2, BNN_I32 = 3, BNN_BITS = 4 };

struct bnn_header {
  uint8_t magic[8]; /* "\x89" "BNN\r\n\x1a\n": damaged by text-mode transfers, which shows */
  uint32_t version;
  uint32_t checksum; /* CRC-32 (zlib's) of the whole file with this field zero */
  uint64_t file_bytes;
  uint32_t tensor_count;
  uint32_t node_count;
  uint32_t index_count;
  uint32_t input_count;  /* index[0 .. input_count): the tensors that are inputs */
  uint32_t output_count; /* index[input_count .. input_count + output_count): the tensors that are outputs */
  uint32_t params_bytes;
  uint32_t strings_bytes; /* zero-terminated UTF-8 */
  uint32_t state_count;   /* the last inputs are the last outputs of the run before, and zeros in the first; float32 */
  uint64_t tensors_offset;
  uint64_t nodes_offset;
  uint64_t index_offset;
  uint64_t params_offset;
  uint64_t strings_offset;
  uint64_t data_offset;
  uint64_t data_bytes;
};

struct bnn_tensor {
  uint32_t name;   /* byte offset in strings */
  uint8_t dtype;   /* enum bnn_dtype */
  uint8_t rank;    /* 0 .. BNN_MAX_RANK */
  uint8_t planes;  /* bit planes; 1 for every other dtype */
  uint8_t constant; /* 1: the value is in `data` */
  uint32_t shape[6]; /* row-major; NHWC for images, OHWI for filters; unused entries are 1 */
  float scale;       /* int8: real value = scale * (q - zero_point) */
  int32_t zero_point;
  uint64_t data_offset; /* from the start of the file; 0 for a tensor that is computed */
  uint64_t data_bytes;
};

struct bnn_node { /* nodes stand in an order in which they can run */
  uint32_t op;    /* code of ops.def */
  uint32_t name;  /* byte offset in strings: the layer it came from */
  uint32_t inputs; /* index[inputs .. inputs + input_count) */
  uint32_t input_count;
  uint32_t output; /* tensor */
  uint32_t params_offset; /* within the params section, 8-byte aligned */
  uint32_t params_bytes;  /* sizeof(struct bnn_<op>_params), checked by the loader */
  uint32_t reserved;
};

/* Where a window goes. Padding is explicit: importers resolve "same". */
struct bnn_window {
  uint32_t kernel_h, kernel_w;
  uint32_t stride_h, stride_w;
  uint32_t dilation_h, dilation_w;
  uint32_t pad_top, pad_left, pad_bottom, pad_right;
};

/* y = clamp(conv(pad(x, pad_value), filter) + bias, lo, hi). groups == C with one filter channel is a depthwise conv.
 * int8: the filter holds codes whose zero point is 0, filter o those of scale[o]; bias is int32, in steps of x's scale
 * times scale[o]. */
struct bnn_conv2d_params {
  struct bnn_window window;
  uint32_t groups;
  float pad_value;
  float lo, hi; /* -inf, +inf where there is no activation */
};

/* The adjoint of conv2d in its x: output pixel (i*stride - pad + k*dilation) gathers x(i) * filter(k). */
struct bnn_conv2d_transpose_params {
  struct bnn_window window;
  uint32_t groups;
  uint32_t reserved;
  float lo, hi;
};

struct bnn_dense_params {
  float lo, hi;
};

/* What a tap outside the image reads: +1 (a zero bit), or nothing at all. */
enum bnn_border { BNN_BORDER_ONE = 0, BNN_BORDER_ZERO = 1 };

/* What the planes of a bits tensor are worth: plane j counts 2^j (k-bit numbers), or each counts 1 (thermometer code:
 * ternary values are two planes). One plane is the same in both. */
enum bnn_code { BNN_CODE_BINARY = 0, BNN_CODE_UNARY = 1 };

/* acc = sum over planes i of x, planes j of w, taps and channels of weight(i) * weight(j) * x[i] * w[j], where x[i] and
 * w[j] are in {-1, +1} and weight() is that of the codes.
 * f32 output:  y = clamp(clamp(acc, clamp_lo[o], clamp_hi[o]) * multiplier[o] + bias[o], lo, hi)
 * int8 output: the nearest codes
 * bits output: as quantize writes it, from index = number of t with acc < threshold[t][o] (threshold is [O], or [T, O]
 *              for T > 1 thresholds; multiplier, bias and the clamps are absent) */
struct bnn_bconv2d_params {
  struct bnn_window window;
  uint32_t groups; /* channels of a group are packed together: channels / groups is a multiple of 32, or groups is 1 */
  uint32_t border; /* enum bnn_border */
  uint32_t x_code, w_code, y_code; /* enum bnn_code */
  uint32_t reserved;
  float lo, hi;
};

/* index = number of thresholds t with x < threshold[t], or with !(x < threshold[t]) in a channel that is inverted.
 * Plane j is bit j of the index (binary code), or index > j (unary). With one threshold: bit = (x < threshold) ^ invert.
 * A denormal x counts as zero: TensorFlow, LCE and NEON flush them. */
struct bnn_quantize_params {
  uint32_t code; /* enum bnn_code */
  uint32_t reserved;
};

/* A depthwise bconv2d with one filter a channel, whose filter lies along the channels: [1, kernel_h, kernel_w, C].
 * The inputs and outputs are those of bconv2d, each with one plane. */
struct bnn_bdepthwise2d_params {
  struct bnn_window window;
  uint32_t border; /* enum bnn_border */
  uint32_t reserved;
  float lo, hi;
};

/* y = bit ? one : zero */
struct bnn_dequantize_params {
  float zero, one;
};

/* The AND of the window's bits where +1 (bit 0) is the larger level, their OR where -1 is. Pads are ignored. */
struct bnn_bmaxpool2d_params {
  struct bnn_window window;
  uint32_t any; /* 0: AND, 1: OR */
  uint32_t reserved;
};

struct bnn_max_pool2d_params { /* pads are ignored */
  struct bnn_window window;
};

struct bnn_avg_pool2d_params {
  struct bnn_window window;
  uint32_t count_pads; /* 1: pads count as zeros (ONNX count_include_pad), 0: divide by the taps inside the image */
  uint32_t sum;        /* 1: do not divide at all */
};

struct bnn_mean_params { /* over the axes whose bit is set; the output's shape says whether they were kept */
  uint32_t axes;
  uint32_t reserved;
};

struct bnn_pad_params {
  uint32_t before[6];
  uint32_t after[6];
  float value;
  uint32_t reserved;
};

enum bnn_arith_kind {
  BNN_ADD = 1, BNN_SUB = 2, BNN_MUL = 3, BNN_DIV = 4, BNN_MIN = 5, BNN_MAX = 6,
  BNN_LESS = 7, BNN_LESS_EQUAL = 8, BNN_GREATER = 9, BNN_GREATER_EQUAL = 10, BNN_EQUAL = 11, BNN_NOT_EQUAL = 12 /* comparisons give 1.0f or 0.0f */
};

struct bnn_arith_params {
  uint32_t kind; /* enum bnn_arith_kind */
  uint32_t reserved;
  float lo, hi; /* fused clamp */
};

enum bnn_unary_kind {
  BNN_ABS = 1, BNN_NEG = 2, BNN_SIGN = 3 /* three-valued: 0 stays 0 */, BNN_ROUND = 4 /* half to even */, BNN_FLOOR = 5, BNN_CEIL = 6,
  BNN_SQRT = 7, BNN_RSQRT = 8, BNN_EXP = 9, BNN_LOG = 10, BNN_TANH = 11, BNN_SIGMOID = 12, BNN_ELU = 13, BNN_SOFTPLUS = 14,
  BNN_SQUARE = 15, BNN_ERF = 16
};

struct bnn_unary_params {
  uint32_t kind; /* enum bnn_unary_kind */
  uint32_t reserved;
};

struct bnn_clamp_params {
  float lo, hi;
};

struct bnn_affine_params {
  float lo, hi; /* fused clamp */
};

/* y = x >= threshold ? high : low, with denormal x as in quantize */
struct bnn_step_params {
  float threshold, low, high;
  uint32_t reserved;
};

struct bnn_prelu_params { /* y = x < 0 ? alpha * x : x */
  uint32_t reserved[2];
};

struct bnn_select_params {
  uint32_t reserved[2];
};

struct bnn_softmax_params { /* along the last axis: exp(beta * x) / sum */
  float beta;
  uint32_t reserved;
};

struct bnn_concat_params {
  uint32_t axis;
  uint32_t reserved;
};

struct bnn_slice_params {
  uint32_t begin[6];
  uint32_t step[6]; /* the output's shape says how many */
};

struct bnn_convert_params {
  uint32_t reserved[2];
};

struct bnn_lookup_params {
  uint32_t reserved[2];
};

struct bnn_reshape_params {
  uint32_t reserved[2];
};

struct bnn_transpose_params {
  uint32_t permutation[6]; /* output axis i is input axis permutation[i] */
};

/* What a layer of neurons gives: 1 or 0; how many times its threshold goes into the membrane; the membrane itself. */
enum bnn_emit { BNN_EMIT_SPIKE = 0, BNN_EMIT_COUNT = 1, BNN_EMIT_MEMBRANE = 2 };

/* What a spike does to the membrane: takes the threshold off at once, or in the next step after the decay (as snnTorch
 * does), or sets it to a value. */
enum bnn_reset { BNN_RESET_SUBTRACT = 0, BNN_RESET_SUBTRACT_LATER = 1, BNN_RESET_VALUE = 2 };

/* Spiking neurons, each with a membrane v that it keeps from step to step; one run of a session is one step.
 *   h = decay * v + gain * x + offset,  SUBTRACT_LATER: - threshold * spikes(v)
 *   y = spikes(h), or h where the membrane is given
 *   v = VALUE: y > 0 ? reset : h,  SUBTRACT: h - threshold * y,  SUBTRACT_LATER, or no threshold: h
 * spikes(h) = h >= threshold (or >), as 1 or 0; counted: h > 0 ? floor(h / threshold) : 0. In the first step v is
 * `initial`. Absent: decay and gain are 1, offset, reset and initial 0; without a threshold nothing is ever reset. */
struct bnn_lif_params {
  uint32_t emit;   /* enum bnn_emit; SPIKE may be written as bits */
  uint32_t reset;  /* enum bnn_reset */
  uint32_t strict; /* 1: a spike needs h > threshold, 0: h >= threshold */
  uint32_t spike;  /* the bit that stands for a spike, where bits are written: 0 or 1 */
};

#endif
