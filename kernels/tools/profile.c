/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tools/instructions.h"
#include "tools/series.h"

enum { LEAST_PASSES = 5, MOST_PASSES = 101, COUNTED_PASSES = 3 };

/* Closes the line that has begun: what each layer took, by name. */
static void report_layers(struct bnn_json *json, const struct network *network, const char *unit, const double *spent) {
  struct bnn_layer_info layer;
  bnn_json_array(json, "layers");
  for (uint32_t i = 0; bnn_session_layer(network->session, i, &layer); i++) {
    bnn_json_object(json, NULL);
    bnn_json_string(json, "name", layer.name);
    bnn_json_string(json, "op", layer.op);
    bnn_json_string(json, "kernel", layer.kernel);
    bnn_json_integer(json, unit, (int64_t)spent[i]);
    bnn_json_end_object(json);
  }
  bnn_json_end_array(json);
}

static size_t layers_of(const struct network *network) {
  struct bnn_session_info info;
  bnn_session_describe(network->session, &info);
  return info.layers;
}

enum bnn_status report_profile(struct network *network, double plain_ns, double min_time, struct bnn_error *error) {
  double wanted = min_time * 1e9 / fmax(plain_ns, 1.0);
  size_t layers = layers_of(network);
  size_t passes = wanted < LEAST_PASSES ? LEAST_PASSES : wanted > MOST_PASSES ? MOST_PASSES : (size_t)wanted;
  uint64_t *ns = malloc((layers + 1) * sizeof *ns);
  double *times = malloc((layers + 1) * passes * sizeof *times); /* [layer][pass], the last layer being the whole */
  if (ns == NULL || times == NULL) {
    free(ns);
    free(times);
    return bnn_fail(error, BNN_E_MEMORY, "no memory to profile %zu layers", layers);
  }
  for (size_t pass = 0; pass < passes; pass++) {
    for (size_t i = 0; i < layers; i++) ns[i] = 0;
    uint64_t start = bnn_clock_ns();
    network_infer(network, bnn_clock_ns, ns);
    times[layers * passes + pass] = (double)(bnn_clock_ns() - start);
    for (size_t i = 0; i < layers; i++) times[i * passes + pass] = (double)ns[i];
  }
  for (size_t i = 0; i <= layers; i++) times[i] = series_median(times + i * passes, passes); /* row i is read by then */
  struct bnn_json json = bnn_json_open(stdout, "profile");
  report_layers(&json, network, "ns", times);
  bnn_json_number(&json, "overhead_ns", times[layers] - plain_ns);
  bnn_json_close(&json);
  free(ns);
  free(times);
  return BNN_E_OK;
}

/* The fewest instructions of a whole inference, and of each layer in fewest[0 .. layers): what an interrupt adds to a pass
 * is not the network's. `spent` is room for a pass. */
static double count_layers(struct network *network, size_t layers, uint64_t *spent, double *fewest) {
  double whole = INFINITY;
  for (int pass = 0; pass < COUNTED_PASSES; pass++) {
    uint64_t start = instructions_read();
    network_infer(network, NULL, NULL);
    whole = fmin(whole, (double)(instructions_read() - start));
    memset(spent, 0, layers * sizeof *spent);
    network_infer(network, instructions_read, spent);
    for (size_t i = 0; i < layers; i++) fewest[i] = pass ? fmin(fewest[i], (double)spent[i]) : (double)spent[i];
  }
  return whole;
}

enum bnn_status report_instructions(struct network *network, struct bnn_error *error) {
  size_t layers = layers_of(network);
  uint64_t *spent = malloc((layers + 1) * sizeof *spent);
  double *fewest = malloc((layers + 1) * sizeof *fewest);
  if (spent == NULL || fewest == NULL) {
    free(spent);
    free(fewest);
    return bnn_fail(error, BNN_E_MEMORY, "no memory to count in %zu layers", layers);
  }
  const char *missing = instructions_open();
  struct bnn_json json = bnn_json_open(stdout, "instructions");
  if (missing) {
    bnn_json_string(&json, "missing", missing);
  } else {
    bnn_json_integer(&json, "inference", (int64_t)count_layers(network, layers, spent, fewest));
    report_layers(&json, network, "count", fewest);
  }
  bnn_json_close(&json);
  instructions_close();
  free(spent);
  free(fewest);
  return BNN_E_OK;
}
