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

# Code outside of guest.S does not use floating point: images/check-image makes
# sure.
set(flags "-march=rv64gc_zicsr_zifencei -mabi=lp64d")
set(CMAKE_C_FLAGS_INIT "${flags} -mcmodel=medany")
set(CMAKE_ASM_FLAGS_INIT ${flags})
include(${CMAKE_CURRENT_LIST_DIR}/image.cmake)
