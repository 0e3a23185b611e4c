# SPDX-License-Identifier: Apache-2.0
#
# What the toolchains of all images share; included when CMAKE_C_FLAGS_INIT has
# the architecture's own flags.

# The one library of the image is built with it: the source that
# scripts/fetch-guests keeps. A distribution's binary would bring its own ideas
# of stack protectors and thread pointers, which are the guest's here.
if(DEFINED ENV{TWINAX_CACHE})
  set(cache $ENV{TWINAX_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(cache $ENV{XDG_CACHE_HOME}/twinax)
else()
  set(cache $ENV{HOME}/.cache/twinax)
endif()
set(TWINAX_LIBFDT
    ${cache}/libfdt
    CACHE PATH "the folder libfdt of the source of Debian's libfdt-dev")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TWINAX_LIBFDT)

# Headers are the image's own, the compiler's, and libfdt's: no C library's.
execute_process(
  COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
  OUTPUT_VARIABLE compiler_include
  OUTPUT_STRIP_TRAILING_WHITESPACE)

string(CONCAT CMAKE_C_FLAGS_INIT
  "${CMAKE_C_FLAGS_INIT} -ffreestanding -fno-pic -fno-pie "
  "-fno-stack-protector -fomit-frame-pointer -fno-asynchronous-unwind-tables "
  "-ffunction-sections -fdata-sections -flto=auto "
  "-nostdinc -isystem ${compiler_include} "
  "-isystem ${CMAKE_CURRENT_LIST_DIR}/../images/include "
  "-isystem ${TWINAX_LIBFDT}")
