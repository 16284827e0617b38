# SPDX-License-Identifier: Apache-2.0
# 32-bit ARM without NEON, hard floats: Raspberry Pi 1, Zero and Zero W.
# No gcc: what Debian calls armhf begins at ARMv7, its C library included.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv6)
set(CMAKE_C_COMPILER_TARGET arm-linux-musleabihf)
set(BNN_ZIG_FLAGS -mcpu=arm1176jzf_s)
set(BNN_LINK_FLAGS -static)
include(${CMAKE_CURRENT_LIST_DIR}/compilers/${BNN_TOOLCHAIN}.cmake)
