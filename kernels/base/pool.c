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

#define PIECES 4u /* for each thread: a slow core, or one that is busy elsewhere, takes fewer of them */
#define LINE 64   /* what cores hand to each other. A hand-over costs as much as a hundred products of a kernel */

/* What a thread counts, on a cache line of its own. Tickets are never given back: the next work goes on where this one's
 * tickets end, and nobody has to set counters. */
struct share {
  _Alignas(LINE) _Atomic uint32_t next; /* its first ticket that nobody took */
  _Atomic uint32_t done;                /* the last round it is through with */
};

struct worker {
  struct bnn_pool *pool;
  uint32_t thread;
  pthread_t handle;
};

struct bnn_pool {
  /* The work in hand, on a cache line of its own: written before `round` moves on. */
  _Alignas(LINE) bnn_work *work;
  void *argument;
  size_t items, pieces;
  uint32_t ticket;        /* each thread's first one; it has PIECES of them */
  _Atomic uint32_t round; /* counts pieces of work: a worker that sees it move has something to do */
  _Atomic bool awake, closing, waiting; /* the caller sleeps until all are done */

  _Alignas(LINE) uint32_t threads;
  uint32_t started;
  struct worker *workers; /* threads - 1 */
  struct share *shares;   /* one for each thread */
  _Atomic uint32_t sleepers;
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

/* --- workers ------------------------------------------------------------------------------------------------------ */

/* Where a piece begins: they differ by one item at most, so that as many pieces for each thread is as much work. */
static size_t begin_of(const struct bnn_pool *pool, size_t piece) {
  return (size_t)((uint64_t)pool->items * piece / pool->pieces);
}

/* What is left of a thread's share, one piece after the other. The last piece stays with its owner, who is about to come to
 * it: what it needs lies in that core's cache. */
static void take_share(struct bnn_pool *pool, uint32_t owner, uint32_t thread) {
  _Atomic uint32_t *next = &pool->shares[owner].next;
  const size_t first = pool->pieces * owner / pool->threads, last = pool->pieces * (owner + 1) / pool->threads;
  const uint32_t most = owner == thread ? PIECES : (uint32_t)(last > first ? last - first - 1 : 0);
  uint32_t ticket = atomic_load_explicit(next, memory_order_relaxed);
  while (ticket - pool->ticket < most) {
    if (!atomic_compare_exchange_weak_explicit(next, &ticket, ticket + 1, memory_order_relaxed, memory_order_relaxed))
      continue;
    const size_t piece = first + (ticket - pool->ticket);
    if (piece < last) pool->work(pool->argument, begin_of(pool, piece), begin_of(pool, piece + 1), thread);
    ticket = atomic_load_explicit(next, memory_order_relaxed);
  }
}

/* A thread's own share first: the same part of every operation, whose input it wrote itself a moment ago and still has in
 * its cache. Then what others have not come to. */
static void take_pieces(struct bnn_pool *pool, uint32_t thread) {
  for (uint32_t i = 0; i < pool->threads; i++) take_share(pool, (thread + i) % pool->threads, thread);
}

/* Returns when `round` is no longer `seen`. */
static void await_round(struct bnn_pool *pool, uint32_t seen) {
  for (int i = 0; i < SPINS && atomic_load(&pool->awake); i++) {
    if (atomic_load(&pool->round) != seen) return;
    relax();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->round) == seen) pthread_cond_wait(&pool->begin, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
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
    atomic_store(&pool->shares[worker->thread].done, seen + 1);
    if (!atomic_load(&pool->waiting)) continue;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->end);
    pthread_mutex_unlock(&pool->mutex);
  }
}

static void next_round(struct bnn_pool *pool) {
  atomic_fetch_add(&pool->round, 1);
  if (atomic_load(&pool->sleepers) == 0) return; /* one that goes to sleep now looks at `round` once more */
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->mutex);
}

static bool all_done(const struct bnn_pool *pool) {
  const uint32_t round = atomic_load(&pool->round);
  for (uint32_t i = 1; i < pool->threads; i++)
    if (atomic_load(&pool->shares[i].done) != round) return false;
  return true;
}

static void await_workers(struct bnn_pool *pool) {
  for (int i = 0; i < SPINS; i++) {
    if (all_done(pool)) return;
    relax();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->waiting, true);
  while (!all_done(pool)) pthread_cond_wait(&pool->end, &pool->mutex);
  atomic_store(&pool->waiting, false);
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
  next_round(pool);
  take_pieces(pool, 0);
  await_workers(pool);
  pool->ticket += PIECES;
}

void bnn_pool_wake(struct bnn_pool *pool) { atomic_store(&pool->awake, pool->threads > 1); }

void bnn_pool_rest(struct bnn_pool *pool) { atomic_store(&pool->awake, false); }

uint32_t bnn_pool_threads(const struct bnn_pool *pool) { return pool->threads; }

/* --- life --------------------------------------------------------------------------------------------------------- */

static void *zeroed(size_t count, size_t bytes) {
  void *memory = aligned_alloc(LINE, count * bytes);
  return memory ? memset(memory, 0, count * bytes) : NULL;
}

enum bnn_status bnn_pool_open(struct bnn_pool **slot, uint32_t threads, const char *cpus, struct bnn_error *error) {
  if (threads == 0 || threads > MAX_THREADS) {
    return bnn_fail(error, BNN_E_ARGUMENT, "threads: %u is not 1 to %u", (unsigned)threads, MAX_THREADS);
  }
  struct bnn_pool *pool = zeroed(1, sizeof *pool);
  if (pool == NULL) return bnn_fail(error, BNN_E_MEMORY, "no memory for threads");
  pool->threads = threads;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->begin, NULL);
  pthread_cond_init(&pool->end, NULL);
  pool->workers = calloc(threads, sizeof *pool->workers);
  pool->shares = zeroed(threads, sizeof *pool->shares);
  enum bnn_status status = BNN_E_OK;
  if (pool->workers == NULL || pool->shares == NULL) {
    status = bnn_fail(error, BNN_E_MEMORY, "no memory for %u threads", (unsigned)threads);
  }
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
