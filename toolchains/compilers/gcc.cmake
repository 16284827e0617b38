# SPDX-License-Identifier: Apache-2.0
# Debian's gcc, the cross compilers among them. Included by the targets.
#
#   BNN_COMPILER  the gcc program
#   BNN_SANITIZE  sanitizers, which need a dynamic program with its symbols

set(CMAKE_C_COMPILER ${BNN_COMPILER})
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BNN_COMPILER BNN_TOOLCHAIN)
set(CMAKE_C_FLAGS_INIT "${BNN_GCC_FLAGS}")
if(NOT BNN_SANITIZE)
  set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -s")
endif()
