/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's application: the VM table, the scheduler, the console.
 *
 * It is a library of one function, in effect. Whoever owns the CPUs (hv/host
 * on the machine, sim/ in the process) runs, on each of them:
 *
 *     for (;;) {
 *         struct vcpu *vcpu = vmm_step(cpu);
 *         if (vcpu)
 *             vcpu->ops->world_switch(vcpu);
 *         else
 *             wait for an interrupt;
 *     }
 *
 * vmm_step() never waits, and is never interrupted.
 */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include "api/vmm.h"
#include "vcpu/vcpu.h"

#define VMM_MAX_VMS 64

/* What the host hands over. */
struct vmm_boot {
    const struct vcpu_ops *arch;
    const void *config; /* device-tree blob: a /vms node, a child per VM */
    hpa_t images;       /* the bundle's image area ... */
    uint64_t images_size;
    bool power_off_when_done; /* when the last VM has stopped */
};

/*
 * Makes the VMs of the configuration and starts those that want it. Called
 * once, on one CPU, before any vmm_step(). A VM that cannot be made is
 * reported on the console and left out. ERR_NO_MEMORY; ERR_INVALID_INPUT: no
 * configuration tree.
 */
err_t vmm_init(const struct vmm_boot *boot) MUST_CHECK;

/*
 * CPU `cpu` is back from a guest, or from its wait: deals with what happened
 * and returns the vCPU whose guest it shall enter now, or NULL to wait for an
 * interrupt. Runs on that CPU only.
 */
struct vcpu *vmm_step(uint32_t cpu);

/* The same for a CPU that has just left the guest of `vcpu`, and knows it. */
struct vcpu *vmm_leave_guest(uint32_t cpu, struct vcpu *vcpu);

/* The vCPU that `cpu` last returned from vmm_step() and has not yet left. */
struct vcpu *vmm_current_vcpu(uint32_t cpu);

/* How many VMs have been started, and have not stopped. */
uint32_t vmm_running_count(void);

struct vm *vmm_find_vm(vm_id id);

/* The current CPU, `cpu`, lets go of the vCPU that it works on, if any: a VMCS
 * can leave a CPU in no other way. Before vmm_fini(). */
void vmm_abandon_cpu(uint32_t cpu);

/* Ends all VMs and gives back everything vmm_init() took. No CPU may be in
 * vmm_step() or in a guest, or work on a vCPU. */
void vmm_fini(void);

#endif
