# SPDX-License-Identifier: Apache-2.0
# Debian's gcc, the cross compilers among them.
#
# The caller says BNN_TOOLCHAIN=gcc, BNN_COMPILER, the gcc program, and BNN_SANITIZE, a list of sanitizers, which need a
# dynamic program with its symbols. A target says, beside what zig.cmake lists, and then includes this:
#   BNN_GCC        the command, by which its Debian package is found
#   BNN_GCC_FLAGS  the CPU, in gcc's spelling

set(CMAKE_C_COMPILER ${BNN_COMPILER})
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BNN_COMPILER BNN_TOOLCHAIN BNN_SANITIZE)
set(CMAKE_C_FLAGS_INIT "${BNN_GCC_FLAGS}")
if(NOT BNN_SANITIZE)
  set(CMAKE_EXE_LINKER_FLAGS_INIT "${BNN_LINK_FLAGS} -s")
endif()
