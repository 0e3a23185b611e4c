# SPDX-License-Identifier: Apache-2.0
# Toolchain of the riscv64 image.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(TWINAX_IMAGE riscv64)
set(CMAKE_C_FLAGS_INIT
    "-march=rv64gc_zicsr_zifencei -mabi=lp64d -mcmodel=medany -mno-relax \
-ffreestanding -fno-pic -fno-pie -fno-stack-protector -fomit-frame-pointer \
-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections")
set(CMAKE_ASM_FLAGS_INIT "-march=rv64gc_zicsr_zifencei -mabi=lp64d -mno-relax")
