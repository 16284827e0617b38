/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/canary.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define CACHE_LEVELS 5
#define CACHE_LEAST ((size_t)16 << 20) /* what a board that does not tell its caches may have in all */
#define CACHE_MOST ((size_t)128 << 20) /* no more than a small board can spare */
#define LINE 64

void canary_spin(uint64_t steps) {
  uint32_t x = 1;
  for (uint64_t i = 0; i < steps; i++) {
    x = x * 1664525u + 1013904223u;
    __asm__ volatile("" : "+r"(x)); /* no step may be folded into the next */
  }
}

uint64_t canary_time(void) {
  uint64_t best = UINT64_MAX;
  for (int attempt = 0; attempt < 3; attempt++) {
    uint64_t start = bnn_clock_ns();
    canary_spin(CANARY_STEPS);
    uint64_t took = bnn_clock_ns() - start;
    if (took < best) best = took;
  }
  return best;
}

struct flood {
  size_t bytes;
  volatile uint8_t data[];
};

/* The largest cache of the first CPU, in bytes; 0 where the system does not tell. */
static size_t largest_cache(void) {
  size_t largest = 0;
  for (int level = 0; level < CACHE_LEVELS; level++) {
    char path[80];
    unsigned long kilobytes;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", level);
    FILE *file = fopen(path, "r");
    if (file == NULL) continue;
    if (fscanf(file, "%luK", &kilobytes) == 1 && kilobytes << 10 > largest) largest = kilobytes << 10;
    fclose(file);
  }
  return largest;
}

struct flood *flood_open(void) {
  size_t bytes = 2 * largest_cache(); /* a cache that does not replace strictly in turn keeps some lines of one size */
  bytes = bytes < CACHE_LEAST ? CACHE_LEAST : bytes > CACHE_MOST ? CACHE_MOST : bytes;
  struct flood *flood = malloc(sizeof *flood + bytes);
  if (flood) flood->bytes = bytes;
  return flood;
}

void flood_run(struct flood *flood) {
  for (size_t i = 0; i < flood->bytes; i += LINE) flood->data[i] = (uint8_t)i;
}

size_t flood_bytes(const struct flood *flood) { return flood->bytes; }
