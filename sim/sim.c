/* SPDX-License-Identifier: Apache-2.0 */
/* The process as a whole: see sim.h. */
#include "sim/sim.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/fake_hw/x86_64/svm/cpu.h"

void sim_reset(uint32_t cpus)
{
    shim_set_hooks(NULL);
    shim_fail_never();
    ram_reset(0);
    clock_reset();
    cpus_reset(cpus);
    console_reset();
    violations_reset();
    fake_riscv_reset(NULL, cpus);
    fake_svm_reset(NULL, cpus);
}
