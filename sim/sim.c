/* SPDX-License-Identifier: Apache-2.0 */
/* The process as a whole: see sim.h. */
#include "sim/sim.h"
#include "sim/arch.h"

void sim_reset(uint32_t cpus)
{
    shim_set_hooks(NULL);
    shim_fail_never();
    ram_reset(0);
    clock_reset();
    cpus_reset(cpus);
    console_reset();
    violations_reset();
    for (unsigned i = 0; sim_archs[i] != NULL; i++)
        sim_archs[i]->reset(NULL, cpus);
}
