/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BNN_RUNTIME_KEEP_H
#define BNN_RUNTIME_KEEP_H

#include <stddef.h>
#include <stdint.h>

/* Blocks of memory that are freed together, when their session ends. Zeroed is empty. */
struct bnn_keep {
  struct bnn_block *blocks;
  uint64_t bytes;
};

/* Zeroed, 64-byte aligned; NULL when there is none left. */
void *bnn_keep_bytes(struct bnn_keep *keep, size_t bytes);
void bnn_keep_free(struct bnn_keep *keep);

#endif
