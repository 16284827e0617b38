/* SPDX-License-Identifier: Apache-2.0 */
/* bnn peaks: how fast this core can count bits, multiply floats and read memory at best. */
#include "peaks/peaks.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/family.h"
#include "base/json.h"
#include "tools/command.h"

enum { ROUNDS = 10, BUFFER_BYTES = 64 << 20 /* beyond the last cache of boards and laptops */ };
static const double round_ns = 2e7;

static void report(const char *name, const char *isa, double value, const char *unit) {
  struct bnn_json json = bnn_json_open(stdout, "peak");
  bnn_json_string(&json, "name", name);
  bnn_json_string(&json, "isa", isa);
  bnn_json_number(&json, "value", value);
  bnn_json_string(&json, "unit", unit);
  bnn_json_close(&json);
}

/* The best of some rounds, in work a nanosecond: a roof is what was reached once, not what is usual. */
static double measure(bnn_peak_fn *run) {
  double best = 0;
  size_t times = 1000;
  for (int round = 0; round < ROUNDS;) {
    const uint64_t start = bnn_clock_ns();
    const double work = run(times);
    const double ns = (double)(bnn_clock_ns() - start);
    if (ns < round_ns / 2) {
      times *= 2;
      continue;
    }
    best = work / ns > best ? work / ns : best;
    round++;
  }
  return best;
}

static const uint64_t *buffer;

static double read_buffer(size_t times) {
  uint64_t sum[8] = {0};
  for (size_t i = 0; i < (times + 999) / 1000; i++)
    for (size_t at = 0; at < BUFFER_BYTES / sizeof *buffer; at += 8)
      for (int j = 0; j < 8; j++) sum[j] += buffer[at + (size_t)j];
  for (int j = 0; j < 8; j++) __asm__ volatile("" : : "r"(sum[j]));
  return (double)((times + 999) / 1000) * BUFFER_BYTES;
}

int command_peaks(const struct options *options) {
  struct bnn_select select;
  const char *wrong = bnn_select_init(&select, options->session.isa_mask, NULL);
  if (wrong) {
    fprintf(stderr, "bnn peaks: %s: no such ISA\n", wrong);
    return EXIT_USAGE;
  }
  for (size_t i = 0; i < bnn_peak_count; i++) {
    const struct bnn_peak *peak = &bnn_peaks[i];
    if (peak->isa_bits & ~select.isa) continue;
    report(peak->name, peak->isa, measure(peak->run), peak->name[0] == 'p' ? "GMAC/s" : "GFLOP/s");
  }
  uint64_t *words = malloc(BUFFER_BYTES);
  if (!words) {
    const struct bnn_error error = {BNN_E_MEMORY, "no memory to read for the bandwidth"};
    return report_error(&error);
  }
  for (size_t i = 0; i < BUFFER_BYTES / sizeof *words; i++) words[i] = i;
  buffer = words;
  report("bandwidth", NULL, measure(read_buffer), "GB/s");
  free(words);
  struct bnn_json json = bnn_json_open(stdout, "end");
  bnn_json_close(&json);
  return 0;
}
