/* SPDX-License-Identifier: Apache-2.0 */
/* The architectures of targets whose machines are of riscv64. */
#include "sim/arch.h"

const struct sim_arch *const sim_archs[] = {&riscv64_sim_arch, NULL};
