/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the output, then times it. docs/measuring.md says why each step is as it is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "tools/canary.h"
#include "tools/golden.h"
#include "tools/host.h"
#include "tools/profile.h"
#include "tools/series.h"

#define SAMPLE_NS 1e6     /* a sample takes at least 1 ms */
#define SAMPLE_TICKS 1000 /* and at least 1000 ticks of the clock, so that reading it costs 0.1 % at most */
#define WARMUP_ITERATIONS 300
#define WARMUP_SECONDS 10.0
#define WARMUP_LEAST_ITERATIONS 5
#define WARMUP_LEAST_SECONDS 0.3
#define MAX_SAMPLES 1000000u

/* Nanoseconds that one inference of a batch took: all its time steps, where the model remembers. `handicap` is how many
 * steps of the canary's work each inference is slowed by: a slowdown of known size, to test with what is made of times.
 * They come in one piece, since a CPU that runs ahead would hide the end of each piece behind the next inference. */
static double time_batch(struct network *network, uint64_t batch, uint64_t handicap) {
  uint64_t start = bnn_clock_ns();
  for (uint64_t i = 0; i < batch; i++) network_infer(network, NULL, NULL);
  canary_spin(handicap * batch);
  return (double)(bnn_clock_ns() - start) / (double)batch;
}

static uint64_t batch_for(double inference_ns) {
  double sample = fmax(SAMPLE_NS, (double)bnn_clock_tick_ns() * SAMPLE_TICKS);
  return inference_ns >= sample ? 1 : (uint64_t)(sample / fmax(inference_ns, 1.0)) + 1;
}

static double least(const double *values, size_t count) {
  double smallest = values[0];
  for (size_t i = 1; i < count; i++) smallest = fmin(smallest, values[i]);
  return smallest;
}

/* Runs until the time of an iteration (a batch) is steady; returns the time of an undisturbed inference. */
static double warm_up(struct network *network) {
  double times[WARMUP_ITERATIONS];
  uint64_t start = bnn_clock_ns(), inferences = WARMUP_LEAST_ITERATIONS;
  size_t count = 0;
  for (size_t i = 0; i < inferences; i++) times[i] = time_batch(network, 1, 0);
  uint64_t batch = batch_for(least(times, inferences)); /* one that was disturbed would make it too small */
  bool steady = false;
  double seconds = 0;
  while (count < WARMUP_ITERATIONS && seconds < WARMUP_SECONDS) {
    times[count++] = time_batch(network, batch, 0);
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
  return least(times, count);
}

struct samples {
  double *ns;
  size_t count, capacity;
  uint64_t batch, handicap;
  struct flood *flood; /* NULL where caches are left as they are */
};

/* Memory for every sample, touched before the clock runs. */
static enum bnn_status samples_prepare(struct samples *samples, const struct options *options,
                                       struct bnn_error *error) {
  double most = options->max_time * 1e9 / SAMPLE_NS + 1;
  samples->capacity = most > options->samples ? (most < MAX_SAMPLES ? (size_t)most : MAX_SAMPLES) : options->samples;
  samples->ns = malloc(samples->capacity * sizeof *samples->ns);
  if (samples->ns == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for %zu samples", samples->capacity);
  for (size_t i = 0; i < samples->capacity; i++) samples->ns[i] = 0;
  if (options->cold && (samples->flood = flood_open()) == NULL) {
    return bnn_fail(error, BNN_E_MEMORY, "no memory to empty the caches with");
  }
  return BNN_E_OK;
}

static void samples_take(struct samples *samples, struct network *network, const struct options *options) {
  uint64_t start = bnn_clock_ns();
  double seconds = 0;
  while (samples->count < samples->capacity && (samples->count == 0 || seconds < options->max_time) &&
         (samples->count < options->samples || seconds < options->min_time)) {
    if (samples->flood) flood_run(samples->flood);
    samples->ns[samples->count++] = time_batch(network, samples->batch, samples->handicap);
    seconds = (double)(bnn_clock_ns() - start) * 1e-9;
  }
}

static void samples_report(const struct samples *samples) {
  struct bnn_json json = bnn_json_open(stdout, "samples");
  bnn_json_string(&json, "unit", "ns");
  bnn_json_integer(&json, "batch", (int64_t)samples->batch);
  if (samples->flood) bnn_json_integer(&json, "cold_bytes", (int64_t)flood_bytes(samples->flood));
  if (samples->handicap) bnn_json_integer(&json, "handicap_steps", (int64_t)samples->handicap);
  bnn_json_array(&json, "ns");
  for (size_t i = 0; i < samples->count; i++) bnn_json_number(&json, NULL, samples->ns[i]);
  bnn_json_end_array(&json);
  bnn_json_close(&json);
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

static void report_canary(uint64_t before_ns, uint64_t after_ns) {
  struct bnn_json json = bnn_json_open(stdout, "canary");
  bnn_json_integer(&json, "before_ns", (int64_t)before_ns);
  bnn_json_integer(&json, "after_ns", (int64_t)after_ns);
  bnn_json_close(&json);
}

static enum bnn_status measure(struct network *network, const struct options *options, struct bnn_error *error) {
  struct samples samples = {0};
  enum bnn_status status = samples_prepare(&samples, options, error);
  if (status == BNN_E_OK) {
    double inference_ns = warm_up(network);
    struct rusage before, after;
    uint64_t canary_before = canary_time();
    samples.handicap = (uint64_t)(inference_ns * options->handicap / 100 * CANARY_STEPS / (double)canary_before);
    samples.batch = options->cold ? 1 : batch_for(inference_ns); /* the second of a batch would find the caches warm */
    getrusage(RUSAGE_SELF, &before);
    samples_take(&samples, network, options);
    getrusage(RUSAGE_SELF, &after);
    uint64_t canary_after = canary_time();
    samples_report(&samples);
    report_usage(&before, &after, network);
    report_canary(canary_before, canary_after);
    if (options->profile) {
      status = report_profile(network, series_median(samples.ns, samples.count), options->min_time, error);
    }
  }
  free(samples.flood);
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
    status = options->count ? report_instructions(&network, &error) : measure(&network, options, &error);
  }
  if (status == BNN_E_OK) {
    struct bnn_json json = bnn_json_open(stdout, "end");
    bnn_json_close(&json);
  }
  for (uint32_t i = 0; i < MAX_FILES; i++) free(goldens[i].data);
  network_close(&network);
  return status == BNN_E_OK ? 0 : report_error(&error);
}
