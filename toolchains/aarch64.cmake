# SPDX-License-Identifier: Apache-2.0
# 64-bit ARM: Raspberry Pi 3 and later with a 64-bit system, Jetson, Android phones, servers.
# Compiled for no core in particular: tuned for Cortex-A72, in-order cores take twice as long and A72 gains nothing.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER_TARGET aarch64-linux-musl)
set(BNN_GCC aarch64-linux-gnu-gcc)
set(BNN_LINK_FLAGS -static)
include(${CMAKE_CURRENT_LIST_DIR}/compilers/${BNN_TOOLCHAIN}.cmake)
