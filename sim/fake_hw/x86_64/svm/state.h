/* SPDX-License-Identifier: Apache-2.0 */
/* What a fake CPU has of SVM. */
#ifndef SIM_FAKE_HW_X86_64_SVM_STATE_H
#define SIM_FAKE_HW_X86_64_SVM_STATE_H

#include <stdint.h>

#include "arch/x86_64/svm/vmcb.h"

/* All that the rules of VMRUN look at (rules.c), but for memory. */
struct svm_ruled {
    uint64_t efer, cr0, cr3, cr4, dr6, dr7, s_cet, g_pat;
    uint64_t iopm_base_pa, msrpm_base_pa, eventinj, vintr, np_enable, n_cr3;
    uint64_t lbr_virtualization_enable;
    uint32_t intercept[3];
    uint32_t guest_asid;
    uint16_t cs_attrib, tlb_control;
    uint32_t unused;
};

struct fake_svm {
    uint64_t vm_hsave_pa, vm_cr; /* the host's MSRs */

    /* The control area as the processor knows it: while its guest is in, and
     * after an exit what is remembered of the VMCB at `cached_pa`. */
    struct vmcb_control control;
    uint64_t cached_pa; /* 0: none */

    /* The last state that broke no rule: the same need not be checked again.
     * All 0, it is none, as there is no EFER.SVME in it. What it points to was
     * allocated when ram_frees() was this. */
    struct svm_ruled legal;
    uint64_t legal_frees;

    /* While a guest is in. */
    struct vmcb *memory;
    uint64_t vmcb_pa;
    uint32_t pause_left; /* PAUSEs until one exits */
};

#endif
