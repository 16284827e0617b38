/* SPDX-License-Identifier: Apache-2.0 */
/* Denormal numbers become zero while a network runs, as TensorFlow Lite and 32-bit NEON have it: they mean nothing to a
 * network, and many cores take a hundred cycles for each. */
#ifndef BNN_BASE_DENORMAL_H
#define BNN_BASE_DENORMAL_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

typedef uint64_t bnn_float_mode;

/* Flushes denormals in this thread from now on; returns the mode for bnn_float_restore. */
static inline bnn_float_mode bnn_float_flush(void) {
#if defined(__x86_64__) || defined(__i386__)
  unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040u); /* FTZ and DAZ: results and operands (Intel SDM vol. 1, 10.2.3) */
  return mode;
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1u << 24)); /* FZ (Arm ARM, FPCR) */
  return mode;
#elif defined(__arm__) && defined(__ARM_FP)
  uint32_t mode;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(mode));
  __asm__ volatile("vmsr fpscr, %0" : : "r"(mode | 1u << 24));
  return mode;
#else
  return 0;
#endif
}

static inline void bnn_float_restore(bnn_float_mode mode) {
#if defined(__x86_64__) || defined(__i386__)
  _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#elif defined(__arm__) && defined(__ARM_FP)
  __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)mode));
#else
  (void)mode;
#endif
}

#endif
