/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/op.h"

#define BNN_OP(NAME, name, code, least, most) extern const struct bnn_op bnn_op_##name;
#include "bnn/ops.def"
#undef BNN_OP

static const struct bnn_op_row rows[] = {
#define BNN_OP(NAME, name, code, least, most)                                                                          \
  {code, #name, least, most, sizeof(struct bnn_##name##_params), &bnn_op_##name},
#include "bnn/ops.def"
#undef BNN_OP
};

const struct bnn_op_row *bnn_op_find(uint32_t code) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].code == code) return &rows[i];
  }
  return NULL;
}
