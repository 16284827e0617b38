# SPDX-License-Identifier: Apache-2.0
# zig's C compiler, which is clang with every C library it can link in one package of PyPI. Included by the targets.
#
#   BNN_COMPILER  the zig program

set(CMAKE_C_COMPILER ${BNN_COMPILER} cc)
set(CMAKE_AR ${BNN_COMPILER})
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> ar qcs <TARGET> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "")

# The first program that is linked for a target has zig compile musl, once for each optimisation level: 40 s and more.
# CMake's own trials would be such programs, so they stop at a library. CMAKE_C_COMPILER_TARGET, which each target sets,
# makes the identification of the compiler stop at an object file.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BNN_COMPILER BNN_TOOLCHAIN)

set(CMAKE_C_FLAGS_INIT "${BNN_ZIG_FLAGS}")
# Static: a board's C library does not matter then, and Android runs the same file. Stripped here, because
# `zig objcopy --strip-all` writes empty files.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -s")
