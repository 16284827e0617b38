/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of the families share: random numbers that a seed repeats, and buffers that notice a stray access. */
#ifndef BNN_TOOLS_CHECK_H
#define BNN_TOOLS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/convolution.h"
#include "base/family.h"

enum { CHECK_BUFFERS = 12 };

/* Values of a case: random ones, or those that show carries, saturation and sign errors. */
enum check_data { CHECK_RANDOM, CHECK_ZEROS, CHECK_ONES, CHECK_ALTERNATING, CHECK_DATA_KINDS };

struct check_case {
  uint64_t state; /* of the random numbers */
  enum check_data data;
  char shape[200], detail[160]; /* of a failure */
  struct {
    unsigned char *map, *data;
    size_t map_bytes, bytes;
  } buffers[CHECK_BUFFERS];
  size_t buffer_count;
};

/* One case of a family, on the kernel that `select` forces, against a plain computation from the definition. False: `shape`
 * and `detail` say what differs. *skipped: the kernel does not take this shape. */
typedef bool check_fn(struct check_case *c, const struct bnn_select *select, bool *skipped);

check_fn check_bitpack, check_bconv2d, check_conv2d, check_depthwise, check_igemm, check_idepthwise, check_lif;

uint64_t check_random(struct check_case *c);
/* From lo to hi, both included. */
uint32_t check_between(struct check_case *c, uint32_t lo, uint32_t hi);
/* One of the values. */
uint32_t check_pick(struct check_case *c, const uint32_t *values, size_t count);
/* Small multiples of 1/8: their sums and products are exact, so that any order of summation gives the same float. */
float check_float(struct check_case *c);

/* A buffer that ends at a page nobody may touch and starts after known bytes; freed when the case ends. */
void *check_buffer(struct check_case *c, size_t bytes);
/* Bits of `channels` channels a pixel, tail bits zero, in the manner of c->data. */
uint32_t *check_bits(struct check_case *c, size_t pixels, uint32_t channels);
float *check_floats(struct check_case *c, size_t count);

/* Whether the bytes before each buffer are as they were; says so in `detail` if not. */
bool check_canaries(struct check_case *c);
void check_free(struct check_case *c);

/* What each thread of a case is given. */
struct check_work {
  const void *plan, *packed, *x;
  void *y, *scratch;
};

/* Runs [0, units) in two or three pieces, the later first, as threads would. */
typedef void check_run(const struct check_work *work, size_t begin, size_t end);
void check_split(struct check_case *c, size_t units, check_run *run, const struct check_work *work);

/* Compares; on a difference fills c->detail. */
bool check_equal_words(struct check_case *c, const uint32_t *got, const uint32_t *expected, size_t count);
bool check_equal_floats(struct check_case *c, const float *got, const float *expected, size_t count);
bool check_equal_codes(struct check_case *c, const int8_t *got, const int8_t *expected, size_t count);

/* A random window over an image of at most `largest` a side; channels are still to be chosen, and there is one group. */
struct bnn_convolution check_image(struct check_case *c, uint32_t largest);
/* Chooses channels, filters and groups. */
void check_channels(struct check_case *c, struct bnn_convolution *sizes);
void check_depthwise_channels(struct check_case *c, struct bnn_convolution *sizes);

/* The pixel of the input, counted over all images, that a tap (row by row) reads for a pixel of the output. False: it lies
 * outside the image. */
bool check_tap(const struct bnn_convolution *sizes, size_t pixel, uint32_t tap, size_t *read);

/* Fills c->shape. */
void check_describe(struct check_case *c, const struct bnn_convolution *sizes, const char *rest);

#endif
