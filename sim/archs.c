/* SPDX-License-Identifier: Apache-2.0 */
/* The architectures of the process: see arch.h. A program that has its own list
 * links no others. */
#include "sim/arch.h"

const struct sim_arch *const sim_archs[] = {&riscv64_sim_arch, &x86_64_sim_arch,
                                            &x86_64_vmx_sim_arch, NULL};
