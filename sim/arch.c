/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for architectures and their processors: see arch.h. */
#include "sim/arch.h"

#include <string.h>

const struct sim_arch *sim_arch_of(const struct vcpu_ops *ops)
{
    unsigned i = 0;

    while (sim_archs[i]->ops != ops)
        i++;
    return sim_archs[i];
}

const struct sim_arch *sim_arch_find(const char *name)
{
    for (unsigned i = 0; sim_archs[i] != NULL; i++) {
        if (strcmp(sim_archs[i]->name, name) == 0)
            return sim_archs[i];
    }
    return NULL;
}

const struct fake_profile *sim_profile_find(const struct sim_arch *arch,
                                            const char *name)
{
    for (unsigned i = 0; arch->profile(i) != NULL; i++) {
        if (strcmp(arch->profile(i)->name, name) == 0)
            return arch->profile(i);
    }
    return NULL;
}
