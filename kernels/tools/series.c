/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
  double p = *(const double *)a, q = *(const double *)b;
  return p < q ? -1 : p > q;
}

double series_median(double *values, size_t count) {
  qsort(values, count, sizeof *values, ascending);
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

struct summary {
  double median, spread;
};

static struct summary summarise(const double *values, size_t count) {
  double copy[SERIES_WINDOW];
  memcpy(copy, values, count * sizeof *copy);
  struct summary summary = {.median = series_median(copy, count)};
  for (size_t i = 0; i < count; i++) copy[i] = fabs(values[i] - summary.median);
  summary.spread = series_median(copy, count);
  return summary;
}

/* Kendall's S, the pairs in order less the pairs out of order, beyond 1.96 standard deviations of chance. */
static bool trending(const double *values, size_t count) {
  double score = 0, n = (double)count;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = i + 1; j < count; j++) score += (values[j] > values[i]) - (values[j] < values[i]);
  }
  return fabs(score) > 1.96 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
}

bool series_steady(const double *values, size_t count, size_t window) {
  if (count < 2 * window) return false;
  struct summary before = summarise(values + count - 2 * window, window),
                 after = summarise(values + count - window, window);
  bool calm = before.spread < 0.005 * before.median && after.spread < 0.005 * after.median;
  return fabs(after.median - before.median) <= 0.01 * before.median &&
         (calm || fabs(after.spread - before.spread) <= 0.25 * before.spread) &&
         !trending(values + count - window, window);
}
