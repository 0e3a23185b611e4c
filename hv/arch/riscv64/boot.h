/* SPDX-License-Identifier: Apache-2.0 */
/* The boot part of riscv_vcpu_ops. */
#ifndef ARCH_RISCV64_BOOT_H
#define ARCH_RISCV64_BOOT_H

#include "arch/riscv64/riscv.h"

const struct s2_format *riscv_stage2_format(uint64_t top);
gpa_t riscv_place_kernel(const void *header, gpa_t base);
int riscv_describe_cpus(const struct vcpu *bsp, void *fdt);
int riscv_describe_cpu(const struct vcpu *vcpu, void *fdt);

#endif
