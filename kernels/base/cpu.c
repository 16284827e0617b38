/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__aarch64__)
#define ARCH_AARCH64 1
#elif defined(__arm__)
#define ARCH_ARM 1
#elif defined(__x86_64__)
#define ARCH_X86_64 1
#endif
#ifndef ARCH_AARCH64
#define ARCH_AARCH64 0
#endif
#ifndef ARCH_ARM
#define ARCH_ARM 0
#endif
#ifndef ARCH_X86_64
#define ARCH_X86_64 0
#endif
#define ARCH_ANY 1

/* The predicates of isa.def. Those of another architecture are false. */
#define HWCAP(bit) (auxiliary(16) >> (bit) & 1)
#define HWCAP2(bit) (auxiliary(26) >> (bit) & 1)
#define CPUID(feature) cpuid_has(FEATURE_##feature)

#if (ARCH_AARCH64 || ARCH_ARM) && defined(__linux__)
#include <sys/auxv.h>
static unsigned long auxiliary(unsigned long type) { return getauxval(type); }
#elif ARCH_AARCH64 && defined(__APPLE__)
#include <sys/sysctl.h>

/* macOS has no auxiliary vector and answers by name; the bits are those of Linux's HWCAP. Every Apple core has Advanced SIMD
 * (bit 1), the first ones no dot product (bit 20). */
static unsigned long auxiliary(unsigned long type) {
  int dot_product = 0;
  size_t size = sizeof dot_product;
  if (type != 16) return 0;
  if (sysctlbyname("hw.optional.arm.FEAT_DotProd", &dot_product, &size, NULL, 0) != 0) dot_product = 0;
  return 1ul << 1 | (unsigned long)(dot_product != 0) << 20;
}
#else
static inline unsigned long auxiliary(unsigned long type) {
  (void)type;
  return 0;
}
#endif

enum feature { FEATURE_POPCNT, FEATURE_FMA, FEATURE_AVX2, FEATURE_AVX512, FEATURE_VPOPCNTDQ, FEATURE_AVX512VNNI };

#if ARCH_X86_64
#include <cpuid.h>

/* Not __builtin_cpu_supports: with zig cc and musl it answers 0 to everything. A vector feature counts only when the
 * system saves its registers, which XCR0 tells (Intel SDM vol. 1, 13.3 and 14.3). */
static bool cpuid_has(enum feature feature) {
  unsigned a, b, c, d, b7 = 0, c7 = 0, ignored;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  __get_cpuid_count(7, 0, &ignored, &b7, &c7, &ignored);
  unsigned xcr0 = 0;
  if (c & bit_OSXSAVE) __asm__("xgetbv" : "=a"(xcr0), "=d"(ignored) : "c"(0));
  const bool ymm = (xcr0 & 0x06) == 0x06, zmm = (xcr0 & 0xE6) == 0xE6;
  const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
  switch (feature) {
    case FEATURE_POPCNT: return c & bit_POPCNT;
    case FEATURE_FMA: return ymm && (c & bit_FMA);
    case FEATURE_AVX2: return ymm && (b7 & bit_AVX2);
    case FEATURE_AVX512: return zmm && (b7 & avx512) == avx512;
    case FEATURE_VPOPCNTDQ: return zmm && (c7 & bit_AVX512VPOPCNTDQ);
    case FEATURE_AVX512VNNI: return zmm && (c7 & bit_AVX512VNNI);
  }
  return false;
}
#else
static inline bool cpuid_has(enum feature feature) {
  (void)feature;
  return false;
}
#endif

static const char *const isa_names[] = {
#define BNN_ISA(NAME, name, ARCH, detected) #name,
#include "bnn/isa.def"
#undef BNN_ISA
};

const char *bnn_isa_name(enum bnn_isa_index isa) { return isa_names[isa]; }

uint32_t bnn_cpu_isa(void) {
  uint32_t isa = 0;
#define BNN_ISA(NAME, name, ARCH, detected) \
  if (ARCH_##ARCH && (detected)) isa |= BNN_ISA_##NAME;
#include "bnn/isa.def"
#undef BNN_ISA
  return isa;
}

uint32_t bnn_built_isa(void) {
  uint32_t isa = 0;
#define BNN_ISA(NAME, name, ARCH, detected) \
  if (ARCH_##ARCH) isa |= BNN_ISA_##NAME;
#include "bnn/isa.def"
#undef BNN_ISA
#if ARCH_ARM && !defined(__ARM_NEON)
  isa &= ~(uint32_t)BNN_ISA_NEON32; /* built for ARMv6 */
#endif
  return isa;
}

/* Parts of implementer 0x41 (ARM) that issue in order; Arm Cortex technical reference manuals, MIDR_EL1. */
static const unsigned in_order_parts[] = {
    0xb76 /* ARM1176 */, 0xc05 /* A5 */,   0xc07 /* A7 */,  0xc08 /* A8 */,  0xd01 /* A32 */, 0xd02 /* A34 */,
    0xd03 /* A53 */,     0xd04 /* A35 */,  0xd05 /* A55 */, 0xd46 /* A510 */, 0xd80 /* A520 */,
};

bool bnn_cpu_in_order(void) {
  /* /proc/cpuinfo, since the MIDR register files of sysfs exist on 64-bit kernels alone. */
  FILE *file = ARCH_AARCH64 || ARCH_ARM ? fopen("/proc/cpuinfo", "r") : NULL;
  if (!file) return false;
  char line[256];
  unsigned implementer = 0, part = 0;
  while (!part && fgets(line, sizeof line, file)) {
    const char *colon = strchr(line, ':');
    if (!colon) continue;
    if (!strncmp(line, "CPU implementer", 15)) sscanf(colon + 1, "%x", &implementer);
    if (!strncmp(line, "CPU part", 8)) sscanf(colon + 1, "%x", &part);
  }
  fclose(file);
  for (size_t i = 0; i < sizeof in_order_parts / sizeof *in_order_parts; i++)
    if (implementer == 0x41 && part == in_order_parts[i]) return true;
  return false;
}
