# SPDX-License-Identifier: Apache-2.0
# Toolchain of the x86_64 image.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER x86_64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(TWINAX_IMAGE x86_64)
# What the names of the vCPUs' operations begin with: see hv/vcpu/vcpu.h.
set(TWINAX_VCPU_ARCH x86)
set(TWINAX_VCPU_PORTS ON)

# All that is not a general register is the guest's, and traps are taken on the
# stack in use: hv/host/x86_64/x86_host.h.
set(CMAKE_C_FLAGS_INIT
    "-march=x86-64 -mno-red-zone -mgeneral-regs-only -fcf-protection=none")
set(CMAKE_ASM_FLAGS_INIT "-Wa,--noexecstack")
include(${CMAKE_CURRENT_LIST_DIR}/image.cmake)
