/* SPDX-License-Identifier: Apache-2.0 */
/* What conv2d and dense share: a layer of weights over floats or over int8 codes, by the family that fits it. */
#ifndef BNN_OPS_CONVOLVE_H
#define BNN_OPS_CONVOLVE_H

#include "ops/loops.h"
#include "sgemm/conv2d.h"

/* Inputs 1 to 3: weights, bias, and scales where the output is int8. */
enum bnn_status bnn_convolve_check(const struct bnn_call *call, uint64_t taps, uint32_t filters, struct bnn_error *error);

/* problem: in real numbers, whatever the tensors hold. */
enum bnn_status bnn_convolve_plan(const struct bnn_call *call, struct bnn_plan *plan, const struct bnn_conv2d_problem *problem,
                                  struct bnn_error *error);
void bnn_convolve_run(const struct bnn_call *call, const struct bnn_plan *plan, size_t begin, size_t end, uint32_t thread);

#endif
