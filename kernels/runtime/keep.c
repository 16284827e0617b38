/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/keep.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/op.h"

/* The head of each block; what it keeps begins BNN_ALIGN bytes behind it. */
struct bnn_block {
  struct bnn_block *next;
};

void *bnn_keep_bytes(struct bnn_keep *keep, size_t bytes) {
  if (bytes > SIZE_MAX - 3 * BNN_ALIGN) return NULL;
  size_t size = (bytes + 2 * BNN_ALIGN - 1) / BNN_ALIGN * BNN_ALIGN;
  struct bnn_block *block = aligned_alloc(BNN_ALIGN, size);
  if (block == NULL) return NULL;
  memset(block, 0, size);
  block->next = keep->blocks;
  keep->blocks = block;
  keep->bytes += size;
  return (uint8_t *)block + BNN_ALIGN;
}

void bnn_keep_free(struct bnn_keep *keep) {
  while (keep->blocks != NULL) {
    struct bnn_block *next = keep->blocks->next;
    free(keep->blocks);
    keep->blocks = next;
  }
}

void *bnn_plan_keep(struct bnn_plan *plan, size_t bytes) { return bnn_keep_bytes(plan->keep, bytes); }
