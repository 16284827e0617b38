/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the `bnn` binary. Each writes JSON lines to standard output and returns the exit code: 0, the number of
 * a status after a line of type "error", or EXIT_USAGE. */
#ifndef BNN_TOOLS_COMMAND_H
#define BNN_TOOLS_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"

#define EXIT_USAGE 64
#define MAX_FILES 64

struct files {
  const char *path[MAX_FILES];
  uint32_t count;
};

/* What the command line said; what it did not say has its default. */
struct options {
  const char *model;
  struct files inputs, outputs, goldens;
  struct bnn_options session;
  double atol, rtol;
  uint32_t samples;
  double min_time, max_time; /* seconds */
  bool cold;       /* empty the caches before each sample */
  double handicap; /* make each inference slower by so many percent */
  bool profile, count;
  const char *family, *shape; /* check and kernels */
  bool once;                  /* kernels: run each once, untimed */
  uint64_t seed;
};

/* Fills *options from argv[1..], argv[0] being the command. False after a message on standard error: a usage error. */
bool options_parse(struct options *options, int argc, char **argv);

/* Writes {"type":"error",...}, and the message on standard error; returns the exit code of the status. */
int report_error(const struct bnn_error *error);

int command_info(const struct options *options);
int command_run(const struct options *options);
int command_bench(const struct options *options);
int command_check(const struct options *options);
int command_peaks(const struct options *options);
int command_kernels(const struct options *options);

#endif
