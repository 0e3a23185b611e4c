/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the simulated machine share. */
#ifndef SIM_MACHINE_INTERNAL_H
#define SIM_MACHINE_INTERNAL_H

#include "sim/machine.h"

/* A vCPU as the guest on it. */
struct guest {
    struct trap_source own;     /* gives machine_do()'s operation */
    struct trap_source *source; /* in use: its own, or another */
    bool busy;                  /* `op` is not done */
    uint32_t exits;             /* of it, and their kinds */
    uint8_t kinds[MACHINE_KINDS];
    struct guest_op op;
    struct guest_result result;
};

struct machine_cpu {
    struct vcpu *vcpu; /* whose guest it is in; NULL: it waits */
    struct guest *guest;
    bool started; /* has had its first vmm_step() */
};

struct machine {
    const struct sim_arch *arch;
    uint32_t cpus;
    uint64_t random;
    uint64_t exits;
    uint32_t idle_advances, patience;
    uint64_t do_steps;
    struct machine_cpu cpu[MAX_CPU_NUM];
    struct guest *guests[VMM_MAX_VMS]; /* by VM, of MAX_VCPU_NUM */
    hpa_t bundle;
    size_t bundle_frames;
    struct snapshot *snapshot;
};

/* snapshot.c */
void snapshot_drop(struct machine *machine);

#endif
