/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"

enum kind { TEXT, FILES, FLAG, COUNT, SEED, NUMBER };

static const struct row {
  const char *name;
  enum kind kind;
  size_t offset;
  const char *commands; /* that take it */
} rows[] = {
    {"model", TEXT, offsetof(struct options, model), "info run bench"},
    {"input", FILES, offsetof(struct options, inputs), "run bench"},
    {"output", FILES, offsetof(struct options, outputs), "run"},
    {"golden", FILES, offsetof(struct options, goldens), "bench"},
    {"atol", NUMBER, offsetof(struct options, atol), "bench"},
    {"rtol", NUMBER, offsetof(struct options, rtol), "bench"},
    {"threads", COUNT, offsetof(struct options, session.threads), "info run bench"},
    {"cpus", TEXT, offsetof(struct options, session.cpus), "run bench"},
    {"isa-mask", TEXT, offsetof(struct options, session.isa_mask), "info run bench check peaks kernels"},
    {"kernel", TEXT, offsetof(struct options, session.kernels), "info run bench kernels"},
    {"samples", COUNT, offsetof(struct options, samples), "bench"},
    {"min-time", NUMBER, offsetof(struct options, min_time), "bench kernels"},
    {"max-time", NUMBER, offsetof(struct options, max_time), "bench"},
    {"cold", FLAG, offsetof(struct options, cold), "bench"},
    {"handicap", NUMBER, offsetof(struct options, handicap), "bench"},
    {"profile", FLAG, offsetof(struct options, profile), "bench"},
    {"count", FLAG, offsetof(struct options, count), "bench"},
    {"family", TEXT, offsetof(struct options, family), "check kernels"},
    {"shape", TEXT, offsetof(struct options, shape), "kernels"},
    {"once", FLAG, offsetof(struct options, once), "kernels"},
    {"seed", SEED, offsetof(struct options, seed), "check"},
};

static bool lists(const char *words, const char *word) {
  size_t length = strlen(word);
  for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
    if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) return true;
  }
  return false;
}

static const struct row *find(const char *name, size_t length, const char *command) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0 && lists(rows[i].commands, command)) {
      return &rows[i];
    }
  }
  return NULL;
}

static bool whole_number(const char *text, uint64_t limit, uint64_t *value) {
  char *end;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *value <= limit;
}

static bool store(const struct row *row, struct options *options, const char *text) {
  void *field = (char *)options + row->offset;
  uint64_t whole;
  char *end;
  switch (row->kind) {
    case TEXT: *(const char **)field = text; return true;
    case FLAG: *(bool *)field = true; return true;
    case FILES: {
      struct files *files = field;
      if (files->count == MAX_FILES) return false;
      files->path[files->count++] = text;
      return true;
    }
    case COUNT:
      if (!whole_number(text, UINT32_MAX, &whole) || whole == 0) return false;
      *(uint32_t *)field = (uint32_t)whole;
      return true;
    case SEED: return whole_number(text, UINT64_MAX, (uint64_t *)field);
    case NUMBER: {
      double value = strtod(text, &end);
      if (end == text || *end != '\0' || !(value >= 0 && value < 1e9)) return false;
      *(double *)field = value;
      return true;
    }
  }
  return false;
}

bool options_parse(struct options *options, int argc, char **argv) {
  *options = (struct options){.samples = 30, .min_time = -1, .max_time = 10, .seed = 1};
  for (int i = 1; i < argc; i++) {
    const char *argument = argv[i], *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    const struct row *row =
        length > 2 && strncmp(argument, "--", 2) == 0 ? find(argument + 2, length - 2, argv[0]) : NULL;
    if (row == NULL || (row->kind == FLAG && equals)) {
      fprintf(stderr, "bnn %s: no option %s\n", argv[0], argument);
      return false;
    }
    const char *text = row->kind == FLAG ? "" : equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
    if (text == NULL) {
      fprintf(stderr, "bnn %s: --%s needs a value\n", argv[0], row->name);
      return false;
    }
    if (!store(row, options, text)) {
      fprintf(stderr, "bnn %s: --%s: '%s' is not possible\n", argv[0], row->name, text);
      return false;
    }
  }
  if (options->min_time < 0) options->min_time = strcmp(argv[0], "kernels") == 0 ? 0.2 : 0.5;
  return true;
}
