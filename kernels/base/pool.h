/* SPDX-License-Identifier: Apache-2.0 */
/* Worker threads that share the rows of an operation. */
#ifndef BNN_BASE_POOL_H
#define BNN_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct bnn_pool;

/* Does items [begin, end). `thread` is below the number of threads and says whose scratch to use. What is written must
 * not depend on how the items were split: that is what makes results the same for every number of threads. */
typedef void bnn_work(void *argument, size_t begin, size_t end, uint32_t thread);

/* Starts threads - 1 workers (the caller is the other one). `cpus` ("0-3,6") pins thread i to its i-th CPU, the caller
 * too, for as long as the pool lives; NULL pins nothing. *pool must be NULL. MEMORY, ARGUMENT. */
enum bnn_status bnn_pool_open(struct bnn_pool **pool, uint32_t threads, const char *cpus, struct bnn_error *error);

/* Ends the workers, restores the caller's affinity, sets *pool to NULL. NULL is fine. */
void bnn_pool_close(struct bnn_pool **pool);

uint32_t bnn_pool_threads(const struct bnn_pool *pool);

/* Between these two the workers may stay awake for a moment after each piece of work; outside they sleep. */
void bnn_pool_wake(struct bnn_pool *pool);
void bnn_pool_rest(struct bnn_pool *pool);

/* Splits [0, items) into pieces of at least `grain` items, runs them on all threads and returns when all are done. */
void bnn_pool_run(struct bnn_pool *pool, size_t items, size_t grain, bnn_work *work, void *argument);

#endif
