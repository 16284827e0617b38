/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#ifdef CLOCK_MONOTONIC_RAW
#define CLOCK CLOCK_MONOTONIC_RAW
#else
#define CLOCK CLOCK_MONOTONIC
#endif

uint64_t bnn_clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* clock_getres answers 1 ns on boards whose counter runs at 19.2 MHz, so it is measured. */
uint64_t bnn_clock_tick_ns(void) {
  uint64_t tick = UINT64_MAX;
  for (int i = 0; i < 20; i++) {
    uint64_t start = bnn_clock_ns(), now = start;
    while (now == start) now = bnn_clock_ns();
    if (now - start < tick) tick = now - start;
  }
  return tick;
}
