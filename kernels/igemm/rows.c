/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that a band reads, in the form that its kernel multiplies. */
#include <string.h>

#include "igemm/kernel.h"

/* Codes can be read where they lie if their form is theirs, and if no run reads beyond its own. */
static bool stays(const struct bnn_iconv2d_plan *plan) {
  return plan->patches.layout == BNN_IN_PLACE && plan->kernel->form == BNN_IGEMM_S8 &&
         plan->patches.run_words % plan->kernel->kr == 0;
}

size_t bnn_igemm_rows_bytes(const struct bnn_iconv2d_plan *plan) {
  if (stays(plan)) return 0;
  const struct bnn_patches *p = &plan->patches;
  const size_t codes = p->layout == BNN_IN_PLACE ? bnn_patches_extent(p, p->band_rows) : bnn_patches_bytes(p) / sizeof(uint32_t);
  return (codes + BNN_IGEMM_SLACK) * bnn_igemm_code_bytes(plan->kernel->form);
}

static void put(enum bnn_igemm_form form, void *to, const int8_t *from, size_t count) {
  uint8_t *bytes = to;
  int16_t *wide = to;
  if (form == BNN_IGEMM_S8)
    memcpy(to, from, count);
  else if (form == BNN_IGEMM_U8)
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)from[i] ^ 0x80;
  else
    for (size_t i = 0; i < count; i++) wide[i] = from[i];
}

static void fill(enum bnn_igemm_form form, void *to, int8_t code, size_t count) {
  int16_t *wide = to;
  if (form != BNN_IGEMM_S16)
    memset(to, form == BNN_IGEMM_U8 ? (uint8_t)code ^ 0x80 : (uint8_t)code, count);
  else
    for (size_t i = 0; i < count; i++) wide[i] = code;
}

/* One input row (NULL: a row of the border), a residue of the dilation after the other, as base/patches.c lays words. */
static void lay_row(const struct bnn_iconv2d_plan *plan, const int8_t *row, uint8_t *to) {
  const struct bnn_patches *p = &plan->patches;
  const enum bnn_igemm_form form = plan->kernel->form;
  const size_t bytes = bnn_igemm_code_bytes(form);
  const uint32_t dilation = p->window.dilation_w;
  const int8_t border = (int8_t)plan->problem.border;
  for (uint32_t residue = 0; residue < dilation; residue++, to += (size_t)p->period * p->step * bytes) {
    const struct bnn_residue r = bnn_patches_residue(p, residue, !row);
    uint8_t *at = to + (size_t)r.left * p->step * bytes;
    fill(form, to, border, (size_t)r.left * p->step);
    if (r.inside && dilation == 1 && p->step == p->pixel_words) {
      put(form, at, row + (size_t)r.first * p->pixel_words, (size_t)r.inside * p->step);
    } else {
      for (uint32_t i = 0; i < r.inside; i++)
        put(form, at + (size_t)i * p->step * bytes, row + (size_t)(r.first + i * dilation) * p->pixel_words, p->step);
    }
    fill(form, at + (size_t)r.inside * p->step * bytes, border, (size_t)r.right * p->step);
  }
}

const void *bnn_igemm_lay_out(const struct bnn_iconv2d_plan *plan, const struct bnn_band *band, const int8_t *x, void *copy) {
  const struct bnn_patches *p = &plan->patches;
  const struct bnn_axis axis = bnn_axis_y(p);
  const int64_t first = bnn_axis_origin(&axis, band->begin);
  const uint32_t rows = band->end - band->begin;
  x += (size_t)band->image * p->in_h * p->in_w * p->pixel_words + (size_t)band->group * p->group_words;
  if (p->layout == BNN_IN_PLACE) {
    const int8_t *from = x + (size_t)first * p->in_w * p->pixel_words;
    if (stays(plan)) return from;
    put(plan->kernel->form, copy, from, bnn_patches_extent(p, rows));
    return copy;
  }
  const size_t line = (size_t)p->period * p->window.dilation_w * p->step * bnn_igemm_code_bytes(plan->kernel->form);
  const int64_t end = first + bnn_axis_span(&axis, rows);
  uint8_t *to = copy;
  for (int64_t row = first; row < end; row++, to += line)
    lay_row(plan, row >= 0 && row < p->in_h ? x + (size_t)row * p->in_w * p->pixel_words : NULL, to);
  return copy;
}
