# SPDX-License-Identifier: Apache-2.0
# 32-bit ARM with NEON, VFPv4, integer division and hard floats: Cortex-A7 and later, so Raspberry Pi 2 and 3, and
# every later one with a 32-bit system.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7)
set(CMAKE_C_COMPILER_TARGET arm-linux-musleabihf)
set(BNN_ZIG_FLAGS -mcpu=cortex_a7)
set(BNN_GCC arm-linux-gnueabihf-gcc)
set(BNN_GCC_FLAGS "-mcpu=cortex-a7 -mfpu=neon-vfpv4 -mfloat-abi=hard")
set(BNN_LINK_FLAGS -static)
include(${CMAKE_CURRENT_LIST_DIR}/compilers/${BNN_TOOLCHAIN}.cmake)
