/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the output, then times it. docs/measuring.md says why each step is as it is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "tools/golden.h"
#include "tools/host.h"
#include "tools/series.h"

#define SAMPLE_NS 1e6     /* a sample takes at least 1 ms */
#define SAMPLE_TICKS 1000 /* and at least 1000 ticks of the clock, so that reading it costs 0.1 % at most */
#define WARMUP_ITERATIONS 300
#define WARMUP_SECONDS 10.0
#define WARMUP_LEAST_ITERATIONS 5
#define WARMUP_LEAST_SECONDS 0.3
#define MAX_SAMPLES 1000000u

/* Nanoseconds that one inference of a batch took: all its time steps, where the model remembers. */
static double time_batch(struct network *network, uint64_t batch) {
  uint64_t start = bnn_clock_ns();
  for (uint64_t i = 0; i < batch; i++) network_infer(network, NULL);
  return (double)(bnn_clock_ns() - start) / (double)batch;
}

static uint64_t batch_for(double inference_ns) {
  double sample = fmax(SAMPLE_NS, (double)bnn_clock_tick_ns() * SAMPLE_TICKS);
  return inference_ns >= sample ? 1 : (uint64_t)(sample / fmax(inference_ns, 1.0)) + 1;
}

/* --- warm-up ------------------------------------------------------------------------------------------------------ */

static double least(const double *values, size_t count) {
  double smallest = values[0];
  for (size_t i = 1; i < count; i++) smallest = fmin(smallest, values[i]);
  return smallest;
}

/* Runs until the time of an iteration (a batch) is steady; returns the batch that makes a sample. */
static uint64_t warm_up(struct network *network) {
  double times[WARMUP_ITERATIONS];
  uint64_t start = bnn_clock_ns(), inferences = WARMUP_LEAST_ITERATIONS;
  size_t count = 0;
  for (size_t i = 0; i < inferences; i++) times[i] = time_batch(network, 1);
  uint64_t batch = batch_for(least(times, inferences)); /* one that was disturbed would make it too small */
  bool steady = false;
  double seconds = 0;
  while (count < WARMUP_ITERATIONS && seconds < WARMUP_SECONDS) {
    times[count++] = time_batch(network, batch);
    inferences += batch;
    seconds = (double)(bnn_clock_ns() - start) * 1e-9;
    /* Two windows must fit into the time there is; a network of half a second leaves none for windows of 20. */
    size_t window = (size_t)(WARMUP_SECONDS / 2 * (double)count / seconds);
    window = window < 5 ? 5 : window > SERIES_WINDOW ? SERIES_WINDOW : window;
    steady = series_steady(times, count, window);
    if (steady && seconds >= WARMUP_LEAST_SECONDS) break;
  }
  struct bnn_json json = bnn_json_open(stdout, "warmup");
  bnn_json_integer(&json, "iterations", (int64_t)inferences);
  bnn_json_number(&json, "seconds", seconds);
  bnn_json_boolean(&json, "steady", steady);
  bnn_json_close(&json);
  return batch_for(least(times, count));
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

struct samples {
  double *ns;
  size_t count, capacity;
  uint64_t batch;
};

/* Memory for every sample, touched before the clock runs. */
static enum bnn_status samples_prepare(struct samples *samples, const struct options *options,
                                       struct bnn_error *error) {
  double most = options->max_time * 1e9 / SAMPLE_NS + 1;
  samples->capacity = most > options->samples ? (most < MAX_SAMPLES ? (size_t)most : MAX_SAMPLES) : options->samples;
  samples->ns = malloc(samples->capacity * sizeof *samples->ns);
  if (samples->ns == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for %zu samples", samples->capacity);
  for (size_t i = 0; i < samples->capacity; i++) samples->ns[i] = 0;
  return BNN_E_OK;
}

static void samples_take(struct samples *samples, struct network *network, const struct options *options) {
  uint64_t start = bnn_clock_ns();
  double seconds = 0;
  while (samples->count < samples->capacity && (samples->count == 0 || seconds < options->max_time) &&
         (samples->count < options->samples || seconds < options->min_time)) {
    samples->ns[samples->count++] = time_batch(network, samples->batch);
    seconds = (double)(bnn_clock_ns() - start) * 1e-9;
  }
}

static void samples_report(const struct samples *samples) {
  struct bnn_json json = bnn_json_open(stdout, "samples");
  bnn_json_string(&json, "unit", "ns");
  bnn_json_integer(&json, "batch", (int64_t)samples->batch);
  bnn_json_array(&json, "ns");
  for (size_t i = 0; i < samples->count; i++) bnn_json_number(&json, NULL, samples->ns[i]);
  bnn_json_end_array(&json);
  bnn_json_close(&json);
}

/* --- conditions --------------------------------------------------------------------------------------------------- */

/* Two million dependent multiply-adds: 2 to 5 ms of nothing but the core's clock, the best of three. */
static uint64_t canary(void) {
  uint64_t best = UINT64_MAX;
  for (int attempt = 0; attempt < 3; attempt++) {
    uint64_t start = bnn_clock_ns();
    uint32_t x = 1;
    for (int i = 0; i < 2000000; i++) {
      x = x * 1664525u + 1013904223u;
      __asm__ volatile("" : "+r"(x)); /* no step may be folded into the next */
    }
    uint64_t took = bnn_clock_ns() - start;
    if (took < best) best = took;
  }
  return best;
}

static void report_usage(const struct rusage *before, const struct rusage *after, const struct network *network) {
  struct bnn_session_info info;
  bnn_session_describe(network->session, &info);
#ifdef __APPLE__
  int64_t unit = 1;
#else
  int64_t unit = 1024;
#endif
  struct bnn_json json = bnn_json_open(stdout, "rusage");
  bnn_json_integer(&json, "max_rss_bytes", (int64_t)after->ru_maxrss * unit);
  bnn_json_integer(&json, "arena_bytes", (int64_t)info.arena_bytes);
  bnn_json_integer(&json, "minor_faults", after->ru_minflt - before->ru_minflt);
  bnn_json_integer(&json, "major_faults", after->ru_majflt - before->ru_majflt);
  bnn_json_integer(&json, "voluntary_switches", after->ru_nvcsw - before->ru_nvcsw);
  bnn_json_integer(&json, "involuntary_switches", after->ru_nivcsw - before->ru_nivcsw);
  bnn_json_close(&json);
}

/* --- profile ------------------------------------------------------------------------------------------------------ */

/* A pass of its own, since reading the clock between layers costs time itself; `plain_ns` is what a run takes without.
 */
static enum bnn_status report_profile(struct network *network, double plain_ns, double min_time,
                                      struct bnn_error *error) {
  struct bnn_session_info info;
  bnn_session_describe(network->session, &info);
  double wanted = min_time * 1e9 / fmax(plain_ns, 1.0);
  size_t layers = info.layers, passes = wanted < 5 ? 5 : wanted > 101 ? 101 : (size_t)wanted;
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
    network_infer(network, ns);
    times[layers * passes + pass] = (double)(bnn_clock_ns() - start);
    for (size_t i = 0; i < layers; i++) times[i * passes + pass] = (double)ns[i];
  }
  struct bnn_layer_info layer;
  struct bnn_json json = bnn_json_open(stdout, "profile");
  bnn_json_array(&json, "layers");
  for (uint32_t i = 0; bnn_session_layer(network->session, i, &layer); i++) {
    bnn_json_object(&json, NULL);
    bnn_json_string(&json, "name", layer.name);
    bnn_json_string(&json, "op", layer.op);
    bnn_json_string(&json, "kernel", layer.kernel);
    bnn_json_number(&json, "ns", series_median(times + i * passes, passes));
    bnn_json_end_object(&json);
  }
  bnn_json_end_array(&json);
  bnn_json_number(&json, "overhead_ns", series_median(times + layers * passes, passes) - plain_ns);
  bnn_json_close(&json);
  free(ns);
  free(times);
  return BNN_E_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static enum bnn_status measure(struct network *network, const struct options *options, struct bnn_error *error) {
  struct samples samples = {0};
  enum bnn_status status = samples_prepare(&samples, options, error);
  if (status != BNN_E_OK) return status;
  samples.batch = warm_up(network);
  struct rusage before, after;
  uint64_t canary_before = canary();
  getrusage(RUSAGE_SELF, &before);
  samples_take(&samples, network, options);
  getrusage(RUSAGE_SELF, &after);
  uint64_t canary_after = canary();
  samples_report(&samples);
  report_usage(&before, &after, network);
  struct bnn_json json = bnn_json_open(stdout, "canary");
  bnn_json_integer(&json, "before_ns", (int64_t)canary_before);
  bnn_json_integer(&json, "after_ns", (int64_t)canary_after);
  bnn_json_close(&json);
  if (options->profile) {
    status = report_profile(network, series_median(samples.ns, samples.count), options->min_time, error);
  }
  free(samples.ns);
  return status;
}

static enum bnn_status prove(struct network *network, const struct options *options, struct array *goldens,
                             uint64_t *first_ns, struct bnn_error *error) {
  enum bnn_status status = network_read_inputs(network, &options->inputs, error);
  if (status == BNN_E_OK && network->runs != 1 && !network->remembers) {
    status = bnn_fail(error, BNN_E_ARGUMENT, "--input: one sample is timed, the file holds %zu", network->runs);
  }
  if (status == BNN_E_OK) status = network_make_outputs(network, error);
  if (status == BNN_E_OK) status = golden_read(network, &options->goldens, goldens, error);
  uint64_t start = bnn_clock_ns();
  if (status == BNN_E_OK) status = network_run(network, error);
  *first_ns = bnn_clock_ns() - start;
  return status == BNN_E_OK ? golden_compare(network, goldens, options->atol, options->rtol, error) : status;
}

int command_bench(const struct options *options) {
  struct network network;
  struct bnn_error error;
  struct array goldens[MAX_FILES] = {{0}};
  uint64_t first_ns = 0;
  enum bnn_status status = network_open(&network, options, &error);
  if (status == BNN_E_OK) {
    report_host();
    report_model(&network);
    status = prove(&network, options, goldens, &first_ns, &error);
  }
  if (status == BNN_E_OK) {
    struct bnn_json json = bnn_json_open(stdout, "first");
    bnn_json_integer(&json, "ns", (int64_t)first_ns);
    bnn_json_close(&json);
    status = measure(&network, options, &error);
  }
  if (status == BNN_E_OK) {
    struct bnn_json json = bnn_json_open(stdout, "end");
    bnn_json_close(&json);
  }
  for (uint32_t i = 0; i < MAX_FILES; i++) free(goldens[i].data);
  network_close(&network);
  return status == BNN_E_OK ? 0 : report_error(&error);
}
