/* SPDX-License-Identifier: Apache-2.0 */
/* Which row of a family is chosen: prints it for a core that issues in order and for one that does not, by what is allowed,
 * what fits and what is forced. */
#include <stdio.h>

#include "base/family.h"

enum { FAST = 1 << 1, SCALAR = 1 << 0 };

struct row {
  struct bnn_kernel kernel;
  int width;
};

static const struct row rows[] = {
    {{"family", "wide_fast", FAST, BNN_TUNING_ANY}, 64},
    {{"family", "patient_fast", FAST, BNN_TUNING_IN_ORDER}, 8},
    {{"family", "eager_fast", FAST, BNN_TUNING_OUT_OF_ORDER}, 8},
    {{"family", "plain_scalar", SCALAR, BNN_TUNING_ANY}, 8},
};
static const struct bnn_family family = {"family", rows, sizeof rows / sizeof *rows, sizeof *rows};

static bool fits(const void *row, const void *problem) { return ((const struct row *)row)->width <= *(const int *)problem; }

int main(void) {
  static const char *const forced[] = {NULL, "family=patient_fast", "family=wide_fast"};
  for (uint32_t isa = SCALAR; isa <= (SCALAR | FAST); isa += FAST)
    for (int width = 8; width <= 64; width *= 8)
      for (int in_order = 0; in_order < 2; in_order++)
        for (int i = 0; i < 3; i++) {
          const struct bnn_select select = {isa, in_order, forced[i], NULL};
          const struct bnn_kernel *row = bnn_family_choose(&family, &select, fits, &width);
          printf("%d %d %d %s %s\n", isa == SCALAR, width, in_order, forced[i] ? forced[i] + 7 : "-", row ? row->name : "-");
        }
  return 0;
}
