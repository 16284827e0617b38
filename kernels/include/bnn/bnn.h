/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime for one-bit networks.
 *
 *   struct bnn_error error;
 *   struct bnn_model *model = NULL;
 *   struct bnn_session *session = NULL;
 *   if (bnn_model_open(&model, "net.bnn", &error) || bnn_session_create(&session, model, NULL, &error)) goto failed;
 *   bnn_session_set_input(session, 0, image, sizeof image, &error);
 *   bnn_session_run(session, &error);
 *   const float *scores = bnn_session_output(session, 0);
 *
 * Every function that can fail returns a status, 0 for success, and tells the story in `error`, which may be NULL.
 * There is no global state: different sessions may run in different threads at once, also on one model. One session
 * belongs to one thread at a time.
 */
#ifndef BNN_BNN_H
#define BNN_BNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bnn/format.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BNN_RUNTIME_VERSION "0.1.0"

enum bnn_status {
#define BNN_STATUS(NAME, value, sentence) BNN_E_##NAME = value,
#include "bnn/status.def"
#undef BNN_STATUS
};

/* Which way a call ended, and what exactly was wrong. Filled only on failure. */
struct bnn_error {
  enum bnn_status status;
  char message[256]; /* zero-terminated UTF-8; names the field, the tensor or the layer */
};

/* The name ("CHECKSUM") and the sentence of a status. Static strings, never NULL. */
const char *bnn_status_name(enum bnn_status status);
const char *bnn_status_sentence(enum bnn_status status);

struct bnn_model; /* a validated .bnn file; immutable */

/* Maps and validates the file at `path`. *model must be NULL; on success it is the caller's, to be closed.
 * IO, NOT_BNN, VERSION, TRUNCATED, CHECKSUM, MALFORMED, UNSUPPORTED, LIMIT, MEMORY. */
enum bnn_status bnn_model_open(struct bnn_model **model, const char *path, struct bnn_error *error);

/* The same for bytes in memory. They are borrowed: they must outlive the model and stay as they are.
 * Also ARGUMENT, where `data` is not aligned to 8 bytes. */
enum bnn_status bnn_model_open_memory(struct bnn_model **model, const void *data, size_t bytes,
                                      struct bnn_error *error);

/* Closes *model and sets it to NULL. Sessions made of it must be closed before. NULL is fine. */
void bnn_model_close(struct bnn_model **model);

struct bnn_model_info {
  uint32_t version;
  uint64_t bytes; /* of the file */
  uint32_t tensors, nodes, inputs, outputs;
  uint64_t weight_bytes; /* of all constants */
};
void bnn_model_describe(const struct bnn_model *model, struct bnn_model_info *info);

struct bnn_tensor_info {
  const char *name; /* the model's */
  enum bnn_dtype dtype;
  uint32_t rank, planes;
  uint32_t shape[BNN_MAX_RANK];
  uint64_t bytes; /* as it lies in memory: float32, int8, int32, or packed uint32 words */
};

/* The tensor that is input or output `index`; false where there is none. */
bool bnn_model_input(const struct bnn_model *model, uint32_t index, struct bnn_tensor_info *info);
bool bnn_model_output(const struct bnn_model *model, uint32_t index, struct bnn_tensor_info *info);

struct bnn_session; /* a model made ready to run: kernels chosen, weights packed, memory planned */

struct bnn_options {
  uint32_t threads;     /* 0 counts as 1, which starts no thread */
  const char *cpus;     /* "0-3,6": pin thread i to the i-th of these; NULL leaves it to the system */
  const char *isa_mask; /* "neon,scalar": use these ISAs only; NULL allows what the CPU has. Overrides BNN_ISA_MASK. */
  const char *kernels;  /* "bconv2d=bconv2d_4x4_scalar,...": force kernels by family. Overrides BNN_KERNEL. */
};

/* Plans everything and packs the weights. `options` may be NULL. The model is borrowed until the session is closed;
 * *session must be NULL and is the caller's on success. UNSUPPORTED, LIMIT, MEMORY, ARGUMENT. */
enum bnn_status bnn_session_create(struct bnn_session **session, const struct bnn_model *model,
                                   const struct bnn_options *options, struct bnn_error *error);

/* Ends the session's threads, frees its memory and sets *session to NULL. NULL is fine. */
void bnn_session_close(struct bnn_session **session);

/* Says where input `index` lies: C order, the input's dtype. Nothing is copied: the bytes are borrowed until the input
 * is set again or the session closed, and a run never changes them. ARGUMENT for a wrong index, size or alignment. */
enum bnn_status bnn_session_set_input(struct bnn_session *session, uint32_t index, const void *data, size_t bytes,
                                      struct bnn_error *error);

/* One inference; of a model with neurons that remember, one time step, which goes on from the step before. Allocates
 * nothing. Flushes denormals while it runs and restores the caller's floating-point mode.
 * ARGUMENT where an input was never set. */
enum bnn_status bnn_session_run(struct bnn_session *session, struct bnn_error *error);

/* Forgets what neurons remember: the next run is a first step, as that of a new session is. */
void bnn_session_reset(struct bnn_session *session);

/* Where output `index` lies: the session's memory, valid until the next run. NULL for a wrong index. */
const void *bnn_session_output(const struct bnn_session *session, uint32_t index);

struct bnn_session_info {
  uint64_t arena_bytes;  /* activations and scratch, after reuse */
  uint64_t live_bytes;   /* the largest set of activations that live at once: no arena can be smaller */
  uint64_t memory_bytes; /* the part of the arena that neurons remember from step to step; 0: runs do not depend on
                            each other */
  uint64_t packed_bytes; /* weights in the kernels' layouts, and the plans */
  uint32_t layers, threads;
};
void bnn_session_describe(const struct bnn_session *session, struct bnn_session_info *info);

struct bnn_layer_info {
  const char *name;   /* the layer of the model file it came from; the model's */
  const char *op;     /* a name of ops.def */
  const char *kernel; /* what runs it: a kernel of a family, or the op's own loop; static */
};

/* Layer `index` of the session, in running order; false where there is none. */
bool bnn_session_layer(const struct bnn_session *session, uint32_t index, struct bnn_layer_info *info);

/* One inference as in bnn_session_run, with what every layer took added to spent[0 .. layers): nanoseconds, or whatever
 * `meter` counts where it is not NULL. It is read before and after each layer, in the thread that calls. */
enum bnn_status bnn_session_profile(struct bnn_session *session, uint64_t (*meter)(void), uint64_t *spent,
                                    struct bnn_error *error);

#ifdef __cplusplus
}
#endif
#endif
