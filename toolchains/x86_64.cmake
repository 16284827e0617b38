# SPDX-License-Identifier: Apache-2.0
# 64-bit x86. What a CPU has beyond the baseline (AVX2, AVX-512) is found out and used at run time.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER_TARGET x86_64-linux-musl)
set(BNN_GCC x86_64-linux-gnu-gcc)
set(BNN_LINK_FLAGS -static)
include(${CMAKE_CURRENT_LIST_DIR}/compilers/${BNN_TOOLCHAIN}.cmake)
