# SPDX-License-Identifier: Apache-2.0
# zig's C compiler, which is clang with every C library it can link, in one package of PyPI.
#
# The caller says BNN_TOOLCHAIN=zig and BNN_COMPILER, the zig program. A target says, and then includes this:
#   CMAKE_SYSTEM_NAME, CMAKE_SYSTEM_PROCESSOR
#   CMAKE_C_COMPILER_TARGET  clang's triple
#   BNN_ZIG_FLAGS            the CPU, in zig's spelling
#   BNN_LINK_FLAGS           -static where there is such a thing: the board's own C library does not matter then

set(CMAKE_C_COMPILER ${BNN_COMPILER} cc)
set(CMAKE_AR ${BNN_COMPILER})
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> ar qcs <TARGET> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "")

# The first program that is linked for a target has zig compile musl, once for each optimisation level: 40 s and more.
# CMake's own trials would be such programs, so they stop at a library. With CMAKE_C_COMPILER_TARGET set, the
# identification of the compiler stops at an object file.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BNN_COMPILER BNN_TOOLCHAIN)

set(CMAKE_C_FLAGS_INIT "${BNN_ZIG_FLAGS}")
# Stripped here, because `zig objcopy --strip-all` writes empty files.
set(CMAKE_EXE_LINKER_FLAGS_INIT "${BNN_LINK_FLAGS} -s")
