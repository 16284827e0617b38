/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/denormal.h"

#define MAX_THREADS 256u
/* Looks at the counter before going to sleep, within a run: some tens of microseconds. Waking a sleeper costs as much.
 */
#define SPINS 4000

/* The pieces that a thread takes first. Alone on its cache line: its thread counts here all the time. */
struct share {
  _Alignas(64) _Atomic size_t next; /* the first piece nobody took */
  size_t end;
};

struct worker {
  struct bnn_pool *pool;
  uint32_t thread;
  pthread_t handle;
};

struct bnn_pool {
  uint32_t threads, started;
  struct worker *workers; /* threads - 1 */
  struct share *shares;   /* one for each thread */
  /* the work in hand; written before `round` moves on */
  bnn_work *work;
  void *argument;
  size_t items, pieces;
  _Atomic uint32_t round; /* counts pieces of work: a worker that sees it move has something to do */
  _Atomic uint32_t busy;  /* workers that are not done with this round */
  _Atomic bool awake, closing;
  pthread_mutex_t mutex;
  pthread_cond_t begin, end;
#ifdef __linux__
  cpu_set_t affinity; /* of the caller, before it was pinned */
#endif
  bool pinned;
};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
  __asm__ volatile("yield");
#endif
}

/* --- pinning ------------------------------------------------------------------------------------------------------ */

#ifdef __linux__
static void pin(const cpu_set_t *cpus, uint32_t thread) {
  uint32_t wanted = thread % (uint32_t)CPU_COUNT(cpus);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, cpus) || wanted-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

/* "0-3,6" */
static bool parse_cpus(const char *text, cpu_set_t *cpus) {
  CPU_ZERO(cpus);
  while (*text) {
    char *end;
    unsigned long first = strtoul(text, &end, 10), last = first;
    if (end == text) return false;
    if (*end == '-') {
      text = end + 1;
      last = strtoul(text, &end, 10);
      if (end == text) return false;
    }
    if (first > last || last >= CPU_SETSIZE) return false;
    for (; first <= last; first++) CPU_SET(first, cpus);
    if (*end != ',' && *end != '\0') return false;
    text = *end ? end + 1 : end;
  }
  return CPU_COUNT(cpus) > 0;
}

static enum bnn_status read_cpus(struct bnn_pool *pool, const char *text, cpu_set_t *cpus, struct bnn_error *error) {
  if (!parse_cpus(text, cpus)) {
    return bnn_fail(error, BNN_E_ARGUMENT, "cpus: '%.60s' is not a list such as 0-3,6", text);
  }
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) {
    return bnn_fail(error, BNN_E_ARGUMENT, "cpus: this system does not say which CPUs may be used");
  }
  pool->affinity = usable;
  CPU_AND(&usable, &usable, cpus);
  if (!CPU_EQUAL(&usable, cpus)) {
    return bnn_fail(error, BNN_E_ARGUMENT, "cpus: '%.60s' names a CPU that this process may not use", text);
  }
  return BNN_E_OK;
}
#endif

#define PIECES 4u /* for each thread: a slow core, or one that is busy elsewhere, takes fewer of them */

/* Where a piece begins: they differ by one item at most, so that as many pieces for each thread is as much work. */
static size_t begin_of(const struct bnn_pool *pool, size_t piece) {
  return (size_t)((uint64_t)pool->items * piece / pool->pieces);
}

/* --- workers ------------------------------------------------------------------------------------------------------ */

/* A thread's own share first: the same part of every operation, whose input it wrote itself a moment ago and still has
 * in its cache. Then what others have not come to. */
static void take_pieces(struct bnn_pool *pool, uint32_t thread) {
  for (uint32_t i = 0; i < pool->threads; i++) {
    struct share *share = &pool->shares[(thread + i) % pool->threads];
    for (;;) {
      size_t piece = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
      if (piece >= share->end) break;
      pool->work(pool->argument, begin_of(pool, piece), begin_of(pool, piece + 1), thread);
    }
  }
}

static void share_out(struct bnn_pool *pool) {
  for (uint32_t i = 0; i < pool->threads; i++) {
    atomic_store_explicit(&pool->shares[i].next, pool->pieces * i / pool->threads, memory_order_relaxed);
    pool->shares[i].end = pool->pieces * (i + 1) / pool->threads;
  }
}

/* Returns when `round` is no longer `seen`. */
static void await_round(struct bnn_pool *pool, uint32_t seen) {
  for (int i = 0; i < SPINS && atomic_load(&pool->awake); i++) {
    if (atomic_load(&pool->round) != seen) return;
    relax();
  }
  pthread_mutex_lock(&pool->mutex);
  while (atomic_load(&pool->round) == seen) pthread_cond_wait(&pool->begin, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

static void *work_on(void *argument) {
  struct worker *worker = argument;
  struct bnn_pool *pool = worker->pool;
  bnn_float_flush();
  for (uint32_t seen = 0;; seen++) {
    await_round(pool, seen);
    if (atomic_load(&pool->closing)) return NULL;
    take_pieces(pool, worker->thread);
    if (atomic_fetch_sub(&pool->busy, 1) == 1) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->end);
      pthread_mutex_unlock(&pool->mutex);
    }
  }
}

static void next_round(struct bnn_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->round, 1);
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->mutex);
}

void bnn_pool_run(struct bnn_pool *pool, size_t items, size_t grain, bnn_work *work, void *argument) {
  if (grain == 0) grain = 1;
  const size_t most = (size_t)pool->threads * PIECES, pieces = items / grain;
  if (pool->threads == 1 || pieces < 2) {
    if (items > 0) work(argument, 0, items, 0);
    return;
  }
  pool->work = work;
  pool->argument = argument;
  pool->items = items;
  pool->pieces = pieces < most ? pieces : most;
  share_out(pool);
  atomic_store(&pool->busy, pool->threads - 1);
  next_round(pool);
  take_pieces(pool, 0);
  for (int i = 0; i < SPINS && atomic_load(&pool->busy) > 0; i++) relax();
  if (atomic_load(&pool->busy) == 0) return;
  pthread_mutex_lock(&pool->mutex);
  while (atomic_load(&pool->busy) > 0) pthread_cond_wait(&pool->end, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

void bnn_pool_wake(struct bnn_pool *pool) { atomic_store(&pool->awake, pool->threads > 1); }

void bnn_pool_rest(struct bnn_pool *pool) { atomic_store(&pool->awake, false); }

uint32_t bnn_pool_threads(const struct bnn_pool *pool) { return pool->threads; }

/* --- life --------------------------------------------------------------------------------------------------------- */

enum bnn_status bnn_pool_open(struct bnn_pool **slot, uint32_t threads, const char *cpus, struct bnn_error *error) {
  if (threads == 0 || threads > MAX_THREADS) {
    return bnn_fail(error, BNN_E_ARGUMENT, "threads: %u is not 1 to %u", (unsigned)threads, MAX_THREADS);
  }
  struct bnn_pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for threads");
  pool->threads = threads;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->begin, NULL);
  pthread_cond_init(&pool->end, NULL);
  pool->workers = calloc(threads, sizeof *pool->workers);
  pool->shares = aligned_alloc(_Alignof(struct share), threads * sizeof *pool->shares);
  enum bnn_status status = BNN_E_OK;
  if (pool->workers == NULL || pool->shares == NULL) status = bnn_fail(error, BNN_E_MEMORY, "no memory for %u threads", (unsigned)threads);
#ifdef __linux__
  cpu_set_t set;
  if (status == BNN_E_OK && cpus != NULL) status = read_cpus(pool, cpus, &set, error);
  pool->pinned = status == BNN_E_OK && cpus != NULL;
#else
  if (status == BNN_E_OK && cpus != NULL)
    status = bnn_fail(error, BNN_E_ARGUMENT, "cpus: this system cannot pin threads");
#endif
  for (uint32_t i = 0; status == BNN_E_OK && i + 1 < threads; i++) {
    pool->workers[i] = (struct worker){.pool = pool, .thread = i + 1};
#ifdef __linux__
    if (pool->pinned) pin(&set, i + 1); /* a new thread inherits the affinity of its creator */
#endif
    if (pthread_create(&pool->workers[i].handle, NULL, work_on, &pool->workers[i]) != 0) {
      status = bnn_fail(error, BNN_E_MEMORY, "the system starts no more than %u threads", (unsigned)i + 1);
    } else {
      pool->started++;
    }
  }
#ifdef __linux__
  if (pool->pinned) pin(&set, 0);
#endif
  *slot = pool;
  if (status != BNN_E_OK) bnn_pool_close(slot);
  return status;
}

void bnn_pool_close(struct bnn_pool **slot) {
  struct bnn_pool *pool = *slot;
  *slot = NULL;
  if (pool == NULL) return;
  atomic_store(&pool->closing, true);
  next_round(pool);
  for (uint32_t i = 0; i < pool->started; i++) pthread_join(pool->workers[i].handle, NULL);
#ifdef __linux__
  if (pool->pinned) sched_setaffinity(0, sizeof pool->affinity, &pool->affinity);
#endif
  pthread_mutex_destroy(&pool->mutex);
  pthread_cond_destroy(&pool->begin);
  pthread_cond_destroy(&pool->end);
  free(pool->workers);
  free(pool->shares);
  free(pool);
}
