/* SPDX-License-Identifier: Apache-2.0 */
/* Families of kernels and the choice among their variants.
 *
 * A family is a table of rows, best first: the rows of its kernels.inc. The chosen kernel is the first row whose ISA bits
 * are allowed, whose tuning suits the core and whose shape rule fits. A name forced for the family leaves that row alone:
 * tuning and shape rule are preferences, every kernel computes every shape. */
#ifndef BNN_BASE_FAMILY_H
#define BNN_BASE_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* ISA is what a kernel needs; tuning is which core it is scheduled for. */
enum bnn_tuning { BNN_TUNING_ANY = 0, BNN_TUNING_IN_ORDER = 1, BNN_TUNING_OUT_OF_ORDER = 2 };

/* The head of every family's row. */
struct bnn_kernel {
  const char *family;
  const char *name; /* <family>_<mr>x<nr>_<isa>[_<tuning>] */
  uint32_t isa;     /* every bit of these is needed */
  enum bnn_tuning tuning;
};

/* A family's rows. Each row starts with its struct bnn_kernel and takes `stride` bytes. */
struct bnn_family {
  const char *name;
  const void *rows;
  size_t count;
  size_t stride;
};

/* What narrows the choice. The strings stay the caller's and must outlive the select. */
struct bnn_select {
  uint32_t isa;       /* ISA bits that may be used */
  bool in_order;
  const char *forced; /* "bconv2d=bconv2d_8x4_neon,sgemm=...", or NULL */
  const struct bnn_kernel *only; /* of its family, whatever is forced; or NULL */
};

/* All families, and how many. */
extern const struct bnn_family *const bnn_families[];
extern const size_t bnn_family_count;

/* NULL where there is none of that name. */
const struct bnn_family *bnn_family_named(const char *name);

const struct bnn_kernel *bnn_family_row(const struct bnn_family *family, size_t index);

/* Fills `select` for this processor.
 * isa_list: "scalar,neon" allows these alone (scalar always stays allowed); "-avx512" allows all but these. NULL: as the
 * environment variable BNN_ISA_MASK says, or everything.
 * forced: "family=name,..."; NULL: as the environment variable BNN_KERNEL says, or nothing.
 * Returns NULL, or the part of a list that names no ISA, no family or no kernel (it points into that list). */
const char *bnn_select_init(struct bnn_select *select, const char *isa_list, const char *forced);

/* Whether a kernel's ISA bits are there, and no other one of its family is forced. */
bool bnn_select_allows(const struct bnn_select *select, const struct bnn_kernel *kernel);

/* The first row that may be used and for which fits(row, problem) holds (fits may be NULL: no rule). NULL where there is none,
 * which only a forced name of a foreign ISA can bring about: every family ends with a scalar row. */
const void *bnn_family_choose(const struct bnn_family *family, const struct bnn_select *select,
                              bool (*fits)(const void *row, const void *problem), const void *problem);

#endif
