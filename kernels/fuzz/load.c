/* SPDX-License-Identifier: Apache-2.0 */
/* The entry of libFuzzer (clang -fsanitize=fuzzer) and AFL++: bytes become a model, a session and an inference. The checksum
 * is made right first, or nothing behind it would ever be reached; it also chooses the kernels, and the bytes are the
 * input's values as well, so that scalar code, threads, infinities and NaN all have their turn. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "bnn/bnn.h"

#define RUN_ARENA 65536u /* a larger net would only be slow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint32_t sign(uint8_t *image, size_t bytes) {
  struct bnn_crc32 crc;
  struct bnn_header header;
  if (bytes < sizeof header) return 0;
  bnn_crc32_init(&crc);
  memset(image + offsetof(struct bnn_header, checksum), 0, sizeof header.checksum);
  uint32_t sum = bnn_crc32_update(&crc, 0, image, bytes);
  memcpy(image + offsetof(struct bnn_header, checksum), &sum, sizeof sum);
  return sum;
}

static void run(struct bnn_session *session, const struct bnn_model *model, const uint8_t *values, size_t bytes) {
  struct bnn_session_info plan;
  struct bnn_tensor_info info;
  bnn_session_describe(session, &plan);
  if (plan.arena_bytes > RUN_ARENA) return;
  uint64_t most = 0;
  for (uint32_t i = 0; bnn_model_input(model, i, &info); i++) most = info.bytes > most ? info.bytes : most;
  uint8_t *input = most <= RUN_ARENA ? malloc(most + 1) : NULL;
  if (input == NULL) return;
  for (uint64_t i = 0; i < most; i++) input[i] = values[i % bytes];
  for (uint32_t i = 0; bnn_model_input(model, i, &info); i++) {
    bnn_session_set_input(session, i, input, (size_t)info.bytes, NULL);
  }
  bnn_session_run(session, NULL);
  free(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  uint8_t *image = malloc(bytes + 1);
  if (image == NULL) return 0;
  memcpy(image, data, bytes);
  const uint32_t sum = sign(image, bytes);
  const struct bnn_options options = {.threads = sum % 8 ? 1 : 2, .isa_mask = sum & 16 ? "scalar" : NULL};
  struct bnn_error error;
  struct bnn_model *model = NULL;
  struct bnn_session *session = NULL;
  if (bnn_model_open_memory(&model, image, bytes, &error) == BNN_E_OK &&
      bnn_session_create(&session, model, &options, &error) == BNN_E_OK) {
    run(session, model, data, bytes);
  }
  bnn_session_close(&session);
  bnn_model_close(&model);
  free(image);
  return 0;
}
