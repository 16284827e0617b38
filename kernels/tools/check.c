/* SPDX-License-Identifier: Apache-2.0 */
/* bnn check: every kernel that this CPU can run, on random and extreme cases, against the definition of its family. */
#include "tools/check.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tools/command.h"

static const struct {
  const char *family;
  check_fn *check;
  uint32_t cases;
} checks[] = {
    {"bitpack", check_bitpack, 400},
    {"bconv2d", check_bconv2d, 600},
    {"sgemm", check_conv2d, 300},
    {"depthwise", check_depthwise, 300},
    {"igemm", check_igemm, 300},
    {"idepthwise", check_idepthwise, 300},
    {"lif", check_lif, 600},
};

static void report_failure(const struct check_case *c, const struct bnn_kernel *kernel, uint64_t seed) {
  struct bnn_json json = bnn_json_open(stdout, "failure");
  bnn_json_string(&json, "family", kernel->family);
  bnn_json_string(&json, "kernel", kernel->name);
  bnn_json_string(&json, "shape", c->shape);
  bnn_json_integer(&json, "seed", (int64_t)seed);
  bnn_json_string(&json, "detail", c->detail);
  bnn_json_close(&json);
}

struct tally {
  uint32_t kernels, cases, failures;
};

/* Case i has seed + i: a failure is the first case of a run with its own seed. */
static void check_kernel(check_fn *check, const struct bnn_select *select, const struct bnn_kernel *kernel, uint64_t seed,
                         uint32_t cases, struct tally *total) {
  struct bnn_select one = *select;
  one.only = kernel;
  struct tally tally = {0, 0, 0};
  for (uint32_t i = 0; i < cases; i++) {
    struct check_case c = {.state = seed + i, .data = (seed + i) % 3 ? CHECK_RANDOM : (seed + i) / 3 % CHECK_DATA_KINDS};
    bool skipped = false;
    const bool right = check(&c, &one, &skipped) && check_canaries(&c);
    check_free(&c);
    tally.cases += !skipped;
    if (!right && tally.failures++ < 5) report_failure(&c, kernel, seed + i); /* five tell as much as a thousand */
  }
  struct bnn_json json = bnn_json_open(stdout, "check");
  bnn_json_string(&json, "family", kernel->family);
  bnn_json_string(&json, "kernel", kernel->name);
  bnn_json_integer(&json, "cases", tally.cases);
  bnn_json_integer(&json, "failures", tally.failures);
  bnn_json_close(&json);
  total->kernels++;
  total->cases += tally.cases;
  total->failures += tally.failures;
}

int command_check(const struct options *options) {
  struct bnn_select select;
  const char *wrong = bnn_select_init(&select, options->session.isa_mask, NULL);
  if (wrong || (options->family && !bnn_family_named(options->family))) {
    fprintf(stderr, "bnn check: %s: no such ISA or family\n", wrong ? wrong : options->family);
    return EXIT_USAGE;
  }
  struct tally tally = {0, 0, 0};
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
    const struct bnn_family *family = bnn_family_named(checks[i].family);
    if (options->family && strcmp(options->family, family->name)) continue;
    for (size_t k = 0; k < family->count; k++) {
      const struct bnn_kernel *kernel = bnn_family_row(family, k);
      if (kernel->isa & ~select.isa) continue;
      check_kernel(checks[i].check, &select, kernel, options->seed, checks[i].cases, &tally);
    }
  }
  struct bnn_json json = bnn_json_open(stdout, "end");
  bnn_json_integer(&json, "kernels", tally.kernels);
  bnn_json_integer(&json, "cases", tally.cases);
  bnn_json_integer(&json, "failures", tally.failures);
  bnn_json_close(&json);
  return tally.failures ? BNN_E_MISMATCH : 0;
}
