/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checksum.h"

#include <string.h>

#define POLYNOMIAL 0xEDB88320u /* IEEE 802.3, reflected: the one of zlib */

void bnn_crc32_init(struct bnn_crc32 *crc) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; bit++) remainder = (remainder >> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
    crc->table[0][byte] = remainder;
  }
  /* table[k][b]: the remainder of byte b followed by k zero bytes. So eight bytes are eight independent look-ups
   * instead of a chain of eight (M. E. Kounavis and F. L. Berry, "A systematic approach to building high performance
   * software-based CRC generators", ISCC 2005). */
  for (int k = 1; k < 8; k++) {
    for (uint32_t byte = 0; byte < 256; byte++) {
      uint32_t before = crc->table[k - 1][byte];
      crc->table[k][byte] = (before >> 8) ^ crc->table[0][before & 0xFF];
    }
  }
}

uint32_t bnn_crc32_update(const struct bnn_crc32 *crc, uint32_t checksum, const void *data, size_t bytes) {
  const uint8_t *at = data;
  uint32_t c = ~checksum;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    uint32_t low, high;
    memcpy(&low, at, 4);
    memcpy(&high, at + 4, 4);
    low ^= c;
    c = crc->table[7][low & 0xFF] ^ crc->table[6][(low >> 8) & 0xFF] ^ crc->table[5][(low >> 16) & 0xFF] ^
        crc->table[4][low >> 24] ^ crc->table[3][high & 0xFF] ^ crc->table[2][(high >> 8) & 0xFF] ^
        crc->table[1][(high >> 16) & 0xFF] ^ crc->table[0][high >> 24];
  }
  for (; bytes > 0; bytes--, at++) c = (c >> 8) ^ crc->table[0][(c ^ *at) & 0xFF];
  return ~c;
}
