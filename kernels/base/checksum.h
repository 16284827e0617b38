/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BNN_BASE_CHECKSUM_H
#define BNN_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The eight tables of CRC-32 by slices of eight bytes: 8 kB, made once per use, so that there is no global state. */
struct bnn_crc32 {
  uint32_t table[8][256];
};

void bnn_crc32_init(struct bnn_crc32 *crc);

/* zlib's CRC-32 of `bytes` after what gave `checksum`; 0 to begin. */
uint32_t bnn_crc32_update(const struct bnn_crc32 *crc, uint32_t checksum, const void *data, size_t bytes);

#endif
