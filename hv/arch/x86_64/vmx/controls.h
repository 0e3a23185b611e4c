/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a processor's VMX can do, and what of it is used: Intel SDM volume 3,
 * appendix A. Pure but for reading the MSRs.
 */
#ifndef ARCH_X86_64_VMX_CONTROLS_H
#define ARCH_X86_64_VMX_CONTROLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The capability MSRs. Of those of controls, the TRUE_... ones if there are;
 * what the processor does not have is 0. */
struct vmx_capability {
    uint64_t basic, misc;
    uint64_t pin, cpu, cpu2, exit, entry;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid;
};

typedef uint64_t (*vmx_read_msr_fn)(uint32_t msr);

void vmx_read_capability(struct vmx_capability *capability,
                         vmx_read_msr_fn read);

/* What is used. */
struct vmx_controls {
    uint32_t revision; /* of VMCS regions */
    uint32_t pin, cpu, cpu2, exit, entry;
    uint64_t cr0_fixed, cr4_fixed; /* bits that are 1 in a guest */
    uint8_t timer_shift;           /* preemption timer: TSC ticks, shifted */
    uint32_t vpids;                /* 0: there are none; VPID 0 included */
    uint8_t invept, invvpid;       /* enum vmx_invept, vmx_invvpid */
    bool has_1g;                   /* pages of EPT */
    /* Virtualization of the local APIC: whether there is a TPR shadow, without
     * which nothing of it is used, and secondary controls. */
    bool has_tpr_shadow;
    uint32_t apic;
};

#define VMX_REFUSAL_SIZE 96

/* Chooses the controls. False: the hypervisor does not run on this processor,
 * and `refusal`, of VMX_REFUSAL_SIZE bytes, says why not. */
bool vmx_choose_controls(const struct vmx_capability *capability,
                         struct vmx_controls *controls, char *refusal);

#endif
