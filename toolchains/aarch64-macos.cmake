# SPDX-License-Identifier: Apache-2.0
# Apple silicon. It builds and links; that it runs was never tried.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_C_COMPILER_TARGET aarch64-macos)
include(${CMAKE_CURRENT_LIST_DIR}/compilers/${BNN_TOOLCHAIN}.cmake)
