/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime inside a program of one's own: embed MODEL.bnn prints the first output for an input of zeros.
 *   cc -I kernels/include examples/embed.c build/.../libbnn_core.a -lpthread -lm */
#include <stdio.h>
#include <stdlib.h>

#include "bnn/bnn.h"

int main(int argc, char **argv) {
  struct bnn_error error = {.message = "usage: embed MODEL.bnn"};
  struct bnn_model *model = NULL;
  struct bnn_session *session = NULL;
  struct bnn_tensor_info input, output;
  float *image = NULL;
  int code = 1;
  if (argc != 2 || bnn_model_open(&model, argv[1], &error) || bnn_session_create(&session, model, NULL, &error)) goto end;
  bnn_model_input(model, 0, &input);
  bnn_model_output(model, 0, &output);
  image = calloc(1, input.bytes);
  if (image == NULL || bnn_session_set_input(session, 0, image, input.bytes, &error)) goto end;
  if (bnn_session_run(session, &error)) goto end;
  const float *y = bnn_session_output(session, 0);
  for (size_t i = 0; i < output.bytes / sizeof *y; i++) printf("%g\n", y[i]);
  code = 0;
end:
  if (code) fprintf(stderr, "%s\n", error.message);
  free(image);
  bnn_session_close(&session);
  bnn_model_close(&model);
  return code;
}
