/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what a session allocates while it runs, linked so that every allocation of the runtime comes by here; and the time
 * that its threads take from the processor when there is nothing to do. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bnn/bnn.h"

static unsigned long calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size) { return calls++, __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return calls++, __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return calls++, __real_realloc(old, size); }
void *__wrap_aligned_alloc(size_t alignment, size_t size) { return calls++, __real_aligned_alloc(alignment, size); }

/* Microseconds of processor time that a third of a second takes in which nobody asks for anything. */
static long idle(void) {
  const struct timespec pause = {.tv_nsec = 300000000};
  struct timespec before, after;
  nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); /* those that stay awake for a moment have gone to sleep */
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  nanosleep(&pause, NULL);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  return (after.tv_sec - before.tv_sec) * 1000000l + (after.tv_nsec - before.tv_nsec) / 1000l;
}

/* allocations MODEL THREADS: prints the allocations of opening, of planning, and of ten runs, then the idle time. */
int main(int argc, char **argv) {
  struct bnn_error error;
  struct bnn_model *model = NULL;
  struct bnn_session *session = NULL;
  struct bnn_tensor_info info;
  struct bnn_options options = {.threads = argc > 2 ? (uint32_t)atoi(argv[2]) : 1};
  if (argc < 2 || bnn_model_open(&model, argv[1], &error)) return 1;
  unsigned long opened = calls;
  if (bnn_session_create(&session, model, &options, &error)) return 1;
  unsigned long planned = calls;
  bnn_model_input(model, 0, &info);
  void *input = __real_calloc(1, (size_t)info.bytes);
  bnn_session_set_input(session, 0, input, (size_t)info.bytes, &error);
  for (int i = 0; i < 10; i++) bnn_session_run(session, &error);
  const unsigned long ran = calls - planned;
  printf("%lu %lu %lu %ld\n", opened, planned - opened, ran, idle());
  free(input);
  bnn_session_close(&session);
  bnn_model_close(&model);
  return 0;
}
