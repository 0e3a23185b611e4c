# SPDX-License-Identifier: Apache-2.0
# Toolchain of the riscv64 image.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(TWINAX_IMAGE riscv64)
# What the names of the vCPUs' operations begin with: see hv/vcpu/vcpu.h.
set(TWINAX_VCPU_ARCH riscv)

# The one library of the image: Debian's, as scripts/fetch-guests keeps it.
if(DEFINED ENV{TWINAX_CACHE})
  set(cache $ENV{TWINAX_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(cache $ENV{XDG_CACHE_HOME}/twinax)
else()
  set(cache $ENV{HOME}/.cache/twinax)
endif()
set(TWINAX_LIBFDT
    ${cache}/riscv64/usr/lib/riscv64-linux-gnu/libfdt.a
    CACHE FILEPATH "libfdt.a of Debian's libfdt-dev for riscv64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TWINAX_LIBFDT)
get_filename_component(libfdt_include ${TWINAX_LIBFDT}/../../../include
                       ABSOLUTE)

# Headers are the image's own, the compiler's, and libfdt's: no C library's.
execute_process(
  COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
  OUTPUT_VARIABLE compiler_include
  OUTPUT_STRIP_TRAILING_WHITESPACE)

# The ABI is that of Debian's libfdt. The image's own code does not use
# floating point: images/check-image makes sure.
string(CONCAT CMAKE_C_FLAGS_INIT
  "-march=rv64gc_zicsr_zifencei -mabi=lp64d -mcmodel=medany -ffreestanding "
  "-fno-pic -fno-pie -fno-stack-protector -fomit-frame-pointer "
  "-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -flto "
  "-nostdinc -isystem ${compiler_include} "
  "-isystem ${CMAKE_CURRENT_LIST_DIR}/../images/include "
  "-isystem ${libfdt_include}")
set(CMAKE_ASM_FLAGS_INIT "-march=rv64gc_zicsr_zifencei -mabi=lp64d")
