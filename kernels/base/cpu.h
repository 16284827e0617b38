/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor can do, asked at run time: one binary serves every core of its architecture. */
#ifndef BNN_BASE_CPU_H
#define BNN_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

enum bnn_isa_index {
#define BNN_ISA(NAME, name, ARCH, detected) BNN_ISA_INDEX_##NAME,
#include "bnn/isa.def"
#undef BNN_ISA
  BNN_ISA_COUNT
};

enum bnn_isa {
#define BNN_ISA(NAME, name, ARCH, detected) BNN_ISA_##NAME = 1 << BNN_ISA_INDEX_##NAME,
#include "bnn/isa.def"
#undef BNN_ISA
};

/* An ISA file puts its attribute on each of its functions; so one set of compiler flags builds every file, and no
 * instruction of a newer core can leak into code that runs on an older one. */
#define BNN_TARGET_POPCNT __attribute__((target("popcnt")))
#define BNN_TARGET_AVX2 __attribute__((target("avx2,fma,popcnt")))
#define BNN_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vpopcntdq,avx2,fma,popcnt")))

#define BNN_TARGET_AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,popcnt")))
#if defined(__clang__)
#define BNN_TARGET_DOTPROD __attribute__((target("dotprod")))
#else
#define BNN_TARGET_DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

/* Before a loop of few rounds over sums that must stay in registers, which cannot be indexed. */
#if defined(__clang__)
#define BNN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define BNN_UNROLL _Pragma("GCC unroll 16")
#endif

/* The name of an ISA: "neon". */
const char *bnn_isa_name(enum bnn_isa_index isa);

/* ISA bits of this processor (of the emulated one, under an emulator); SCALAR is always among them. */
uint32_t bnn_cpu_isa(void);

/* ISA bits this binary holds code for. */
uint32_t bnn_built_isa(void);

/* True where the first core executes in order (Cortex-A7, A53, A55 ...): such cores need other schedules. */
bool bnn_cpu_in_order(void);

#endif
