/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated machine: fake CPUs that run the whole hypervisor on a bundle of
 * virtual machines, step by step on one thread. Whose turn it is is drawn from
 * a seed, time is virtual: the same calls always give the same run.
 *
 * There is one machine at a time, as there is one set of fake hardware.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "sim/arch.h"
#include "sim/bundle.h"
#include "vm/vm.h"
#include "vmm/vmm.h"

struct machine_config {
    uint32_t cpus;                      /* 0 counts as 1 */
    uint64_t seed;                      /* of the CPUs' order */
    uint64_t ram;                       /* bytes; 0: RAM_DEFAULT_SIZE */
    const struct sim_arch *arch;        /* NULL: the default */
    const struct fake_profile *profile; /* of it; NULL: the default */
    const struct bundle *bundle;        /* needed while creating only */
    /* How many deadlines may pass while guests wait, without any of them
     * getting on, before a run ends; 0: enough for all. */
    uint32_t patience;
    /* What machine_do() runs at most; 0: MACHINE_DO_STEPS. */
    uint64_t do_steps;
    bool power_off_when_done; /* as in struct vmm_boot */
    /* Called when all is ready for vmm_init(), to start a recording, say; an
     * error ends the creation. May be NULL. */
    err_t (*before_boot)(void *context, const struct vmm_boot *boot);
    void *context;
};

struct machine;

/*
 * Powers a machine on: a fresh host, the bundle in its RAM, vmm_init(). On an
 * error there is no machine, and nothing has leaked.
 */
err_t machine_create(const struct machine_config *config,
                     struct machine **machine) MUST_CHECK;

/* The next machine_create() has the `nth` allocation of memory fail that the
 * hypervisor makes while it boots; 0: none. */
void machine_fail_at_boot(uint64_t nth);

/* Ends it. Returns how many frames the hypervisor has leaked. */
uint64_t machine_destroy(struct machine *machine);

/*
 * For who makes many: ends the VMs and the VMM, and returns how many frames are
 * in use then; boots another bundle in the place of the first, and no larger.
 * The hardware is as the VMs have left it, unless it is reset before. After an
 * error there is no VMM.
 */
uint64_t machine_end_vms(struct machine *machine);
err_t machine_boot_again(struct machine *machine,
                         const struct bundle *bundle) MUST_CHECK;

/*
 * Remembers the machine as it is now, but for its sources; machine_reset()
 * goes back there, in microseconds and as often as one likes. ERR_NO_MEMORY.
 */
err_t machine_snapshot(struct machine *machine) MUST_CHECK;
void machine_reset(struct machine *machine);

/* Why a run ended. */
enum machine_end {
    MACHINE_STARVED, /* no guest that could run has an operation left */
    MACHINE_IDLE,    /* all wait, and nothing will ever wake them */
    MACHINE_OFF,     /* host_power_off() */
    MACHINE_BUDGET,  /* the steps were used up */
};

/* Runs CPUs, in the seed's order, for at most `steps` exits and idle waits. */
enum machine_end machine_run(struct machine *machine, uint64_t steps);

/* One turn of a CPU that has something to do. False: no CPU has. */
bool machine_step(struct machine *machine);

/* From now on, CPUs take turns in the order of this seed. */
void machine_set_seed(struct machine *machine, uint64_t seed);

/* Exits handled since machine_create(). */
uint64_t machine_exits(const struct machine *machine);

/*
 * Where a vCPU takes its operations from; NULL: from machine_do() only. The
 * source stays the caller's. It need not belong to a vCPU that exists yet.
 */
void machine_set_source(struct machine *machine, vm_id vm, vcpu_id vcpu,
                        struct trap_source *source);

#define MACHINE_DO_STEPS 100000

/*
 * Has a vCPU do one operation and runs the machine until it is done, or as
 * long as it goes: OUTCOME_PENDING in `result` says that it is still to be
 * done (the vCPU is off, say, or its VM has stopped). ERR_NOT_FOUND: no such
 * VM or vCPU; ERR_BUSY: the operation before is still to be done; ERR_BAD_STATE
 * when the vCPU has a source.
 */
err_t machine_do(struct machine *machine, vm_id vm, vcpu_id vcpu,
                 const struct guest_op *op,
                 struct guest_result *result) MUST_CHECK;

/* Makes an interrupt pending in a vCPU, from outside. As vmm_inject_interrupt.
 */
err_t machine_inject(struct machine *machine, vm_id vm, vcpu_id vcpu,
                     interrupt_vector vector) MUST_CHECK;

/* The result of the last machine_do() of this vCPU as it stands now. */
const struct guest_result *machine_last_result(struct machine *machine,
                                               vm_id vm, vcpu_id vcpu);

/* Kinds of the exits that a vCPU made during its last operation, in order, the
 * first MACHINE_KINDS of them. Returns how many there were in all. */
#define MACHINE_KINDS 16
uint32_t machine_last_exits(struct machine *machine, vm_id vm, vcpu_id vcpu,
                            uint8_t kinds[MACHINE_KINDS]);

/* The vCPU's general-purpose register or pc (REG_COUNT) as it is now. */
uint64_t machine_register(struct machine *machine, vm_id vm, vcpu_id vcpu,
                          unsigned reg);

/*
 * Looks whether VMs are apart: no frame that a guest can reach is reached by
 * another VM's guest, or is a page table, or is not allocated. Returns NULL,
 * or what is wrong.
 */
const char *machine_check_isolation(struct machine *machine);

#endif
