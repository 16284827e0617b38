/* SPDX-License-Identifier: Apache-2.0 */
/* The binary that travels to a board. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/command.h"

static const struct {
  const char *name, *help;
  int (*run)(const struct options *options);
} commands[] = {
    {"info", "[--model M.bnn] [--threads N] [--isa-mask LIST] [--kernel FAMILY=NAME]", command_info},
    {"run",
     "--model M.bnn --input FILE --output FILE [--threads N] [--cpus LIST] [--isa-mask LIST] [--kernel FAMILY=NAME]",
     command_run},
    {"bench",
     "--model M.bnn --input FILE --golden FILE [--atol A] [--rtol R] [--threads N] [--cpus LIST] [--samples 30]\n"
     "            [--min-time 0.5] [--max-time 10] [--cold] [--handicap PERCENT] [--profile] [--count]\n"
     "            [--isa-mask LIST] [--kernel FAMILY=NAME]",
     command_bench},
    {"check", "[--family F] [--seed N] [--isa-mask LIST]", command_check},
    {"peaks", "[--isa-mask LIST]", command_peaks},
    {"kernels", "[--family F [--shape 56x56x64->64 3x3]] [--min-time 0.2 | --once] [--isa-mask LIST] [--kernel FAMILY=NAME]",
     command_kernels},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static int usage(void) {
  fprintf(stderr, "bnn %s: runs, checks and times one-bit networks; JSON lines on standard output\n",
          BNN_RUNTIME_VERSION);
  for (size_t i = 0; i < COMMANDS; i++) fprintf(stderr, "  bnn %-7s %s\n", commands[i].name, commands[i].help);
  return EXIT_USAGE;
}

int report_error(const struct bnn_error *error) {
  struct bnn_json json = bnn_json_open(stdout, "error");
  bnn_json_string(&json, "status", bnn_status_name(error->status));
  bnn_json_integer(&json, "code", error->status);
  bnn_json_string(&json, "message", error->message);
  bnn_json_close(&json);
  fprintf(stderr, "bnn: %s: %s\n", bnn_status_sentence(error->status), error->message);
  return (int)error->status;
}

/* Where the stack begins decides which of its lines share a cache set with the weights, and can change a time by
 * several percent (Mytkowicz et al., ASPLOS 2009). It differs from process to process here, so that it averages out. */
static int run_elsewhere(int (*run)(const struct options *), const struct options *options) {
  uint64_t seed = (bnn_clock_ns() ^ (uint64_t)getpid() << 32) * 0x9E3779B97F4A7C15u;
  size_t offset = (size_t)(seed >> 52) * 16 + 16; /* 16 bytes to 64 kB */
  volatile char pad[offset];
  pad[0] = pad[offset - 1] = 0;
  int code = run(options);
  pad[0] = 1; /* used to the end: a compiler may not give it back before the call */
  return code;
}

int main(int argc, char **argv) {
  struct options options;
  for (size_t i = 0; argc > 1 && i < COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    if (!options_parse(&options, argc - 1, argv + 1)) return EXIT_USAGE;
    return run_elsewhere(commands[i].run, &options);
  }
  return usage();
}
