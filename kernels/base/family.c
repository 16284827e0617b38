/* SPDX-License-Identifier: Apache-2.0 */
#include "base/family.h"

#include <stdlib.h>
#include <string.h>

extern const struct bnn_family bnn_bitpack_family, bnn_bconv2d_family, bnn_sgemm_family, bnn_depthwise_family,
    bnn_igemm_family, bnn_idepthwise_family, bnn_lif_family;

const struct bnn_family *const bnn_families[] = {
    &bnn_bitpack_family,
    &bnn_bconv2d_family,
    &bnn_sgemm_family,
    &bnn_depthwise_family,
    &bnn_igemm_family,
    &bnn_idepthwise_family,
    &bnn_lif_family,
};
const size_t bnn_family_count = sizeof bnn_families / sizeof *bnn_families;

const struct bnn_kernel *bnn_family_row(const struct bnn_family *family, size_t index) {
  return (const void *)((const char *)family->rows + index * family->stride);
}

const struct bnn_family *bnn_family_named(const char *name) {
  for (size_t i = 0; i < bnn_family_count; i++)
    if (!strcmp(bnn_families[i]->name, name)) return bnn_families[i];
  return NULL;
}

/* A comma list: returns the word at `list` and moves `list` past it; false at the end. */
struct word {
  const char *text;
  size_t length;
};

static bool next_word(const char **list, struct word *word) {
  while (**list == ',') ++*list;
  word->text = *list;
  word->length = strcspn(*list, ",");
  *list += word->length;
  return word->length > 0;
}

static bool is(struct word word, const char *name) {
  return strlen(name) == word.length && !memcmp(word.text, name, word.length);
}

static uint32_t isa_bit(struct word word) {
  for (uint32_t i = 0; i < BNN_ISA_COUNT; i++)
    if (is(word, bnn_isa_name((enum bnn_isa_index)i))) return 1u << i;
  return 0;
}

static const char *mask_isa(uint32_t *isa, const char *list) {
  uint32_t allowed = 0, taken = 0;
  struct word word;
  while (next_word(&list, &word)) {
    const bool minus = *word.text == '-';
    const uint32_t bit = isa_bit((struct word){word.text + minus, word.length - minus});
    if (!bit) return word.text;
    *(minus ? &taken : &allowed) |= bit;
  }
  if (allowed) *isa &= allowed;
  *isa = (*isa & ~taken) | BNN_ISA_SCALAR;
  return NULL;
}

/* Whether a word is "family=name", of a family; *name gets what follows. */
static bool is_of(struct word word, const char *family, struct word *name) {
  const size_t length = strlen(family);
  if (word.length <= length || word.text[length] != '=' || memcmp(word.text, family, length)) return false;
  *name = (struct word){word.text + length + 1, word.length - length - 1};
  return true;
}

/* Whether a kernel of the family is forced: this one, or any where `kernel` is NULL. */
static bool is_forced(const struct bnn_select *select, const char *family, const char *kernel) {
  if (select->only && !strcmp(select->only->family, family)) return !kernel || !strcmp(select->only->name, kernel);
  struct word word, name;
  for (const char *list = select->forced ? select->forced : ""; next_word(&list, &word);)
    if (is_of(word, family, &name) && (!kernel || is(name, kernel))) return true;
  return false;
}

static bool names_a_kernel(struct word word) {
  struct word name;
  for (size_t f = 0; f < bnn_family_count; f++) {
    const struct bnn_family *family = bnn_families[f];
    for (size_t i = 0; is_of(word, family->name, &name) && i < family->count; i++)
      if (is(name, bnn_family_row(family, i)->name)) return true;
  }
  return false;
}

const char *bnn_select_init(struct bnn_select *select, const char *isa_list, const char *forced) {
  if (!isa_list) isa_list = getenv("BNN_ISA_MASK");
  if (!forced) forced = getenv("BNN_KERNEL");
  *select = (struct bnn_select){bnn_cpu_isa(), bnn_cpu_in_order(), forced, NULL};
  if (isa_list) {
    const char *wrong = mask_isa(&select->isa, isa_list);
    if (wrong) return wrong;
  }
  struct word word;
  for (const char *list = forced ? forced : ""; next_word(&list, &word);)
    if (!names_a_kernel(word)) return word.text;
  return NULL;
}

bool bnn_select_allows(const struct bnn_select *select, const struct bnn_kernel *kernel) {
  if (kernel->isa & ~select->isa) return false;
  return !is_forced(select, kernel->family, NULL) || is_forced(select, kernel->family, kernel->name);
}

const void *bnn_family_choose(const struct bnn_family *family, const struct bnn_select *select,
                              bool (*fits)(const void *row, const void *problem), const void *problem) {
  const bool forced = is_forced(select, family->name, NULL);
  const enum bnn_tuning wrong_tuning = select->in_order ? BNN_TUNING_OUT_OF_ORDER : BNN_TUNING_IN_ORDER;
  for (size_t i = 0; i < family->count; i++) {
    const struct bnn_kernel *row = bnn_family_row(family, i);
    if (!bnn_select_allows(select, row)) continue;
    if (forced || (row->tuning != wrong_tuning && (!fits || fits(row, problem)))) return row;
  }
  return NULL;
}
