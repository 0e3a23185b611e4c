/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of riscv64 in the simulator share. */
#ifndef SIM_RISCV64_ARCH_H
#define SIM_RISCV64_ARCH_H

#include "sim/arch.h"

extern const struct scenario_language riscv64_language;
extern const struct sim_bench riscv64_bench;
extern const struct seed_format riscv64_seeds;

#endif
