/* SPDX-License-Identifier: Apache-2.0 */
/* bnn kernels: the time of every kernel this CPU can run, on shapes that real networks have. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "tools/command.h"
#include "tools/series.h"
#include "tools/workload.h"

enum { MAX_SHAPES = 8, SAMPLES = 15 };
static const double sample_ns = 2e5;

static const struct {
  const char *family;
  workload_open *open;
  const char *shapes[MAX_SHAPES];
} families[] = {
    {"bitpack", workload_bitpack, {"56x56x64", "14x14x256"}},
    {"bconv2d", workload_bconv2d,
     {"56x56x64->64 3x3", "28x28x128->128 3x3", "14x14x256->256 3x3", "7x7x512->512 3x3", "28x28x128->128 3x3 bits",
      "28x28x128->128 1x1", "1x1x4096->1024 1x1"}},
    {"sgemm", workload_conv2d,
     {"224x224x3->64 7x7/2", "224x224x3->16 3x3/2", "56x56x64->64 3x3", "28x28x128->256 1x1", "1x1x512->1000 1x1"}},
    {"depthwise", workload_depthwise, {"56x56x64->64 3x3", "56x56x64->64 3x3/2"}},
    {"igemm", workload_igemm,
     {"224x224x3->64 7x7/2", "224x224x3->16 3x3/2", "56x56x64->64 3x3", "28x28x128->256 1x1", "1x1x512->1000 1x1"}},
    {"idepthwise", workload_idepthwise, {"56x56x64->64 3x3", "56x56x64->64 3x3/2"}},
    {"lif", workload_lif, {"56x56x64", "56x56x64 bits"}},
};

static double time_batch(struct workload *w, uint64_t batch) {
  const uint64_t start = bnn_clock_ns();
  for (uint64_t i = 0; i < batch; i++) w->run(w);
  return (double)(bnn_clock_ns() - start) / (double)batch;
}

static struct bnn_json begin_line(const struct bnn_kernel *kernel, const char *shape, const struct workload *w) {
  struct bnn_json json = bnn_json_open(stdout, "kernel");
  bnn_json_string(&json, "family", kernel->family);
  bnn_json_string(&json, "kernel", w->kernel);
  bnn_json_string(&json, "shape", shape);
  bnn_json_integer(&json, "macs", (int64_t)w->macs);
  return json;
}

/* For those who count instructions in an emulator: a system call that does nothing marks the beginning and the end. */
static void run_once(const struct bnn_kernel *kernel, const char *shape, struct workload *w) {
  sched_yield();
  w->run(w);
  sched_yield();
  struct bnn_json json = begin_line(kernel, shape, w);
  bnn_json_close(&json);
}

static void report(const struct bnn_kernel *kernel, const char *shape, struct workload *w, double min_seconds) {
  double samples[SAMPLES], sorted[SAMPLES];
  time_batch(w, 1); /* touches every page */
  const double once = time_batch(w, 1), wanted = min_seconds * 1e9 / SAMPLES;
  const uint64_t batch = (uint64_t)((wanted > sample_ns ? wanted : sample_ns) / (once > 1 ? once : 1)) + 1;
  for (int i = 0; i < SAMPLES; i++) samples[i] = time_batch(w, batch);
  memcpy(sorted, samples, sizeof samples);

  struct bnn_json json = begin_line(kernel, shape, w);
  bnn_json_number(&json, "ns", series_median(sorted, SAMPLES));
  bnn_json_array(&json, "samples");
  for (int i = 0; i < SAMPLES; i++) bnn_json_number(&json, NULL, samples[i]);
  bnn_json_end_array(&json);
  bnn_json_close(&json);
}

/* False: out of memory, or a shape that the family cannot take. */
static bool run_shape(workload_open *open, const char *text, const struct bnn_kernel *kernel, const struct bnn_select *select,
                      const struct options *options) {
  struct bnn_select one = *select;
  one.only = kernel;
  struct shape shape;
  struct workload *w = calloc(1, sizeof *w);
  const bool opened = w && shape_parse(text, &shape) && open(w, &shape, &one);
  if (opened && options->once) run_once(kernel, text, w);
  if (opened && !options->once) report(kernel, text, w, options->min_time);
  if (w) workload_close(w);
  free(w);
  return opened;
}

int command_kernels(const struct options *options) {
  struct bnn_select select;
  struct shape shape;
  const char *wrong = bnn_select_init(&select, options->session.isa_mask, options->session.kernels);
  if (!wrong && options->family && !bnn_family_named(options->family)) wrong = options->family;
  if (!wrong && options->shape && !shape_parse(options->shape, &shape)) wrong = options->shape;
  if (!wrong && options->shape && !options->family) wrong = "--shape without --family";
  if (wrong) {
    fprintf(stderr, "bnn kernels: %s: not known\n", wrong);
    return EXIT_USAGE;
  }
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    const struct bnn_family *family = bnn_family_named(families[i].family);
    if (options->family && strcmp(options->family, family->name)) continue;
    const char *const asked[] = {options->shape, NULL};
    const char *const *shapes = options->shape ? asked : families[i].shapes;
    for (size_t k = 0; k < family->count; k++) {
      const struct bnn_kernel *kernel = bnn_family_row(family, k);
      if (!bnn_select_allows(&select, kernel)) continue;
      for (; *shapes; shapes++)
        if (!run_shape(families[i].open, *shapes, kernel, &select, options)) {
          const struct bnn_error error = {BNN_E_ARGUMENT, "the shape does not suit the family, or there is no memory for it"};
          return report_error(&error);
        }
      shapes = options->shape ? asked : families[i].shapes;
    }
  }
  struct bnn_json json = bnn_json_open(stdout, "end");
  bnn_json_close(&json);
  return 0;
}
