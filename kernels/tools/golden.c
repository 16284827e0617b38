/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/golden.h"

#include <math.h>
#include <stdio.h>

enum bnn_status golden_read(const struct network *network, const struct files *files, struct array *goldens,
                            struct bnn_error *error) {
  if (files->count != network->info.outputs) {
    return bnn_fail(error, BNN_E_ARGUMENT,
                    "the model has %u outputs, --golden was given %u times: no time without a proof",
                    (unsigned)network->info.outputs, (unsigned)files->count);
  }
  for (uint32_t i = 0; i < files->count; i++) {
    struct bnn_tensor_info info;
    bnn_model_output(network->model, i, &info);
    enum bnn_status status = array_read(&goldens[i], files->path[i], error);
    if (status != BNN_E_OK) return status;
    if (goldens[i].bytes != network->outputs[i].bytes) {
      return bnn_fail(error, BNN_E_ARGUMENT, "%.100s: %zu bytes; output '%.60s' has %zu", files->path[i],
                      goldens[i].bytes, info.name, network->outputs[i].bytes);
    }
  }
  return BNN_E_OK;
}

/* Element `i` as a number; of bits, word `i`, whose value is its bits. */
static double element(const void *data, enum bnn_dtype dtype, size_t i) {
  switch (dtype) {
    case BNN_F32: return (double)((const float *)data)[i];
    case BNN_I8: return (double)((const int8_t *)data)[i];
    case BNN_I32: return (double)((const int32_t *)data)[i];
    case BNN_BITS: return (double)((const uint32_t *)data)[i];
  }
  return NAN;
}

struct worst {
  double excess; /* over the tolerance; above 0: a mismatch */
  double max_abs, max_rel, got, expected;
  uint32_t output;
  size_t at;
};

static void compare(struct worst *worst, uint32_t output, const struct bnn_tensor_info *info, const struct array *array,
                    const void *expected, double atol, double rtol) {
  const void *got = array->data;
  size_t count = array->bytes / (info->dtype == BNN_I8 ? 1 : 4);
  if (info->dtype == BNN_BITS) atol = rtol = 0; /* a word is 32 elements, not a number */
  for (size_t i = 0; i < count; i++) {
    double g = element(got, info->dtype, i), e = element(expected, info->dtype, i);
    if (g == e || (isnan(g) && isnan(e))) continue;
    double difference = fabs(g - e), excess = difference - (atol + rtol * fabs(e));
    if (isnan(difference) || isinf(difference)) excess = difference = INFINITY;
    if (difference > worst->max_abs) worst->max_abs = difference;
    if (e != 0 && difference / fabs(e) > worst->max_rel) worst->max_rel = difference / fabs(e);
    if (excess <= worst->excess) continue;
    worst->excess = excess;
    worst->output = output;
    worst->at = i;
    worst->got = g;
    worst->expected = e;
  }
}

enum bnn_status golden_compare(const struct network *network, const struct array *goldens, double atol, double rtol,
                               struct bnn_error *error) {
  struct worst worst = {0};
  struct bnn_tensor_info info;
  for (uint32_t i = 0; bnn_model_output(network->model, i, &info); i++) {
    compare(&worst, i, &info, &network->outputs[i], goldens[i].data, atol, rtol);
  }
  bool ok = !(worst.excess > 0);
  struct bnn_json json = bnn_json_open(stdout, "golden");
  bnn_json_boolean(&json, "ok", ok);
  bnn_json_number(&json, "max_abs", worst.max_abs);
  bnn_json_number(&json, "max_rel", worst.max_rel);
  if (!ok) {
    bnn_json_integer(&json, "output", worst.output);
    bnn_json_integer(&json, "at", (int64_t)worst.at);
    bnn_json_number(&json, "got", worst.got);
    bnn_json_number(&json, "expected", worst.expected);
  }
  bnn_json_close(&json);
  if (ok) return BNN_E_OK;
  return bnn_fail(error, BNN_E_MISMATCH, "output %u, element %zu: got %.9g, expected %.9g", (unsigned)worst.output,
                  worst.at, worst.got, worst.expected);
}
