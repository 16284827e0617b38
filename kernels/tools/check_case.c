/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CANARY_BYTES = 64, CANARY = 0xC5 };

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA'14). */
uint64_t check_random(struct check_case *c) {
  uint64_t z = c->state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

uint32_t check_between(struct check_case *c, uint32_t lo, uint32_t hi) {
  return lo + (uint32_t)(check_random(c) % (hi - lo + 1));
}

uint32_t check_pick(struct check_case *c, const uint32_t *values, size_t count) {
  return values[check_random(c) % count];
}

float check_float(struct check_case *c) { return (float)((int)check_between(c, 0, 32) - 16) / 8.0f; }

void *check_buffer(struct check_case *c, size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t usable = (bytes + CANARY_BYTES + page - 1) / page * page;
  unsigned char *map = mmap(NULL, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || c->buffer_count == CHECK_BUFFERS || mprotect(map + usable, page, PROT_NONE)) {
    fprintf(stderr, "bnn check: no memory for a buffer of %zu bytes\n", bytes);
    exit(1);
  }
  unsigned char *data = map + usable - bytes;
  memset(map, CANARY, (size_t)(data - map));
  memset(data, CANARY, bytes); /* outputs and scratch start as rubbish */
  c->buffers[c->buffer_count].map = map;
  c->buffers[c->buffer_count].data = data;
  c->buffers[c->buffer_count].map_bytes = usable + page;
  c->buffers[c->buffer_count++].bytes = bytes;
  return data;
}

bool check_canaries(struct check_case *c) {
  for (size_t i = 0; i < c->buffer_count; i++)
    for (const unsigned char *at = c->buffers[i].data - CANARY_BYTES; at < c->buffers[i].data; at++)
      if (*at != CANARY) {
        snprintf(c->detail, sizeof c->detail, "buffer %zu was written %td bytes before its start", i,
                 c->buffers[i].data - at);
        return false;
      }
  return true;
}

void check_free(struct check_case *c) {
  while (c->buffer_count) {
    c->buffer_count--;
    munmap(c->buffers[c->buffer_count].map, c->buffers[c->buffer_count].map_bytes);
  }
}

static uint32_t word_of(struct check_case *c) {
  switch (c->data) {
    case CHECK_ZEROS: return 0;
    case CHECK_ONES: return ~0u;
    case CHECK_ALTERNATING: return 0xAAAAAAAAu;
    default: return (uint32_t)check_random(c);
  }
}

uint32_t *check_bits(struct check_case *c, size_t pixels, uint32_t channels) {
  const size_t words = (channels + 31) / 32;
  uint32_t *bits = check_buffer(c, pixels * words * sizeof *bits);
  for (size_t i = 0; i < pixels * words; i++) {
    const uint32_t last = channels - (uint32_t)(i % words) * 32;
    bits[i] = word_of(c) & (last < 32 ? (1u << last) - 1 : ~0u);
  }
  return bits;
}

float *check_floats(struct check_case *c, size_t count) {
  float *floats = check_buffer(c, count * sizeof *floats);
  for (size_t i = 0; i < count; i++) floats[i] = check_float(c);
  return floats;
}

void check_split(struct check_case *c, size_t units, check_run *run, const struct check_work *work) {
  const size_t second = check_random(c) % (units + 1), third = second + check_random(c) % (units - second + 1);
  if (third < units) run(work, third, units);
  if (second < third) run(work, second, third);
  if (second) run(work, 0, second);
}

bool check_equal_words(struct check_case *c, const uint32_t *got, const uint32_t *expected, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (got[i] != expected[i]) {
      snprintf(c->detail, sizeof c->detail, "word %zu of %zu is %08x, not %08x", i, count, (unsigned)got[i],
               (unsigned)expected[i]);
      return false;
    }
  return true;
}

bool check_equal_floats(struct check_case *c, const float *got, const float *expected, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!(got[i] == expected[i])) {
      snprintf(c->detail, sizeof c->detail, "value %zu of %zu is %.9g, not %.9g", i, count, (double)got[i],
               (double)expected[i]);
      return false;
    }
  return true;
}

bool check_equal_codes(struct check_case *c, const int8_t *got, const int8_t *expected, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (got[i] != expected[i]) {
      snprintf(c->detail, sizeof c->detail, "code %zu of %zu is %d, not %d", i, count, got[i], expected[i]);
      return false;
    }
  return true;
}
